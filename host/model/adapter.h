/* adapter.h - LoRA adapters in the files of PEFT (github.com/huggingface/peft): adapter_config.json
 * and adapter_model.safetensors.
 *
 * A module's matrix W [out, in] becomes W + s B A with A [r, in], B [out, r] and s = alpha / r, or
 * alpha / sqrt(r) with use_rslora; rank_pattern and alpha_pattern say other ranks and alphas of
 * modules by the end of their names. Any matrix of the model may have an update. What would compute
 * anything else (DoRA, trained biases, embeddings or whole modules, starting values that change W:
 * PiSSA, OLoRA, LoftQ, CorDA) is OMT_UNSUPPORTED and named. */
#ifndef OMT_MODEL_ADAPTER_H
#define OMT_MODEL_ADAPTER_H

#include "model/weights.h"

typedef struct omt_adapter omt_adapter;

/* Checks the files against each other and against the weights. Names may begin with
 * "base_model.model." and "thinker."; they are those of transformers' Thinker, or of its text model
 * alone. */
omt_status omt_adapter_open(const char *dir, const omt_weights *weights, omt_adapter **adapter,
                            omt_error *err);
void omt_adapter_close(omt_adapter *adapter);         /* NULL is allowed */
size_t omt_adapter_count(const omt_adapter *adapter); /* matrices that it changes */

/* Puts the changed matrices into the weights, which it was opened for: f32, in memory of their own
 * (4 bytes an element). The adapter is not needed afterwards. */
omt_status omt_adapter_merge(const omt_adapter *adapter, omt_weights *weights, omt_error *err);

#endif
