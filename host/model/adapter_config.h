/* adapter_config.h - what adapter_config.json says about the updates of a LoRA adapter. */
#ifndef OMT_MODEL_ADAPTER_CONFIG_H
#define OMT_MODEL_ADAPTER_CONFIG_H

#include "base/json.h"

typedef struct omt_adapter_config {
	char *path;
	json_t *json;
	int32_t rank;
	double alpha;
	bool root; /* use_rslora */
} omt_adapter_config;

/* `text` is the file's; what is not supported is an error that names the key. On failure nothing
 * is held. */
omt_status omt_adapter_config_parse(const char *path, const char *text, size_t bytes,
                                    omt_adapter_config *config, omt_error *err);
void omt_adapter_config_free(omt_adapter_config *config);

/* Rank and scale of the update of a module, by PEFT's name of it. */
void omt_adapter_config_module(const omt_adapter_config *config, const char *module, int32_t *rank,
                               double *scale);
/* Whether `module` is `end` or ends with it as a part. */
bool omt_module_ends(const char *module, const char *end);

#endif
