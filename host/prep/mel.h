/* mel.h - the tables of omt_prep_sound, made once for a model. */
#ifndef OMT_PREP_MEL_H
#define OMT_PREP_MEL_H

#include "prep/prep.h"

/* From n_fft, mel_bins and mel_filters of the config, which is borrowed for the call. */
omt_status omt_mel_plan_make(const omt_prep_config *config, omt_mel_plan **plan, omt_error *err);
void omt_mel_plan_free(omt_mel_plan *plan);

#endif
