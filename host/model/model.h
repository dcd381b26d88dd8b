/* model.h - what a checkpoint folder holds, opened. */
#ifndef OMT_MODEL_MODEL_H
#define OMT_MODEL_MODEL_H

#include "model/config.h"
#include "model/weights.h"
#include "prep/prep.h"
#include "token/tokenizer.h"

struct omt_model {
	char *dir;
	omt_config config;
	omt_prep_config prep;
	omt_tokenizer *tokenizer;
	omt_weights *weights;
	char *adapter; /* folder of what was merged into them; NULL: nothing */
};

#endif
