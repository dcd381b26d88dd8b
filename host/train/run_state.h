/* run_state.h - the checkpoint of a run: parameters, moments, and where it stands, in one file that
 * appears whole. A run that is killed at any time goes on from the last one, bit by bit as if it
 * had not been.
 *
 * It is a safetensors file: "values", "first", "second" (f32, in the order of trainable.h) and
 * "state" (u8), a JSON object. */
#ifndef OMT_TRAIN_RUN_STATE_H
#define OMT_TRAIN_RUN_STATE_H

#include "base/json.h"
#include "train/trainable.h"

omt_status omt_run_state_save(const char *path, const omt_trainable *trainable, const float *first,
                              const float *second, const json_t *state, omt_error *err);
/* The state alone, given. */
omt_status omt_run_state_read(const char *path, json_t **state, omt_error *err);
/* Values and moments; another number of parameters is OMT_BAD_FORMAT. */
omt_status omt_run_state_load(const char *path, omt_trainable *trainable, float *first,
                              float *second, omt_error *err);

#endif
