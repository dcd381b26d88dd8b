/* save.h - what a training made, as others read it. Folders appear whole and replace older ones of
 * the same name. */
#ifndef OMT_TRAIN_SAVE_H
#define OMT_TRAIN_SAVE_H

#include "train/trainable.h"

/* A checkpoint in the published layout: `model`, which was trained in full, with these values.
 * dtype and progress: as in model/checkpoint.h; progress may be NULL. */
omt_status omt_trainable_save_model(const omt_trainable *trainable, const omt_model *model,
                                    const char *dir, const char *dtype,
                                    const omt_progress *progress, omt_error *err);

/* PEFT's format: adapter_config.json and adapter_model.safetensors in f32, for
 * PeftModel.from_pretrained() on transformers' Thinker and for model/adapter.h. `lora` and `model`
 * are those that the trainable was made with. */
omt_status omt_trainable_save_adapter(const omt_trainable *trainable, const omt_lora *lora,
                                      const omt_model *model, const char *dir, omt_error *err);

#endif
