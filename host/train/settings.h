/* settings.h - the YAML file of a training; README "Training" explains the keys.
 *
 * Unknown keys, wrong types, values out of range and what cannot be together are OMT_BAD_FORMAT
 * with file and line. Paths are relative to the file's folder. */
#ifndef OMT_TRAIN_SETTINGS_H
#define OMT_TRAIN_SETTINGS_H

#include "base/fields.h"
#include "train/loss.h"
#include "train/optimiser.h"

#define OMT_TRAIN_PATH 1024
#define OMT_TRAIN_NAME 64
#define OMT_TRAIN_CUTS 8

typedef enum omt_train_method { OMT_TRAIN_FULL, OMT_TRAIN_LORA } omt_train_method;

/* A data set, of training or of an evaluation. */
typedef struct omt_train_data {
	char name[OMT_TRAIN_NAME];
	char queries[OMT_TRAIN_PATH], passages[OMT_TRAIN_PATH], qrels[OMT_TRAIN_PATH];
	char negatives[OMT_TRAIN_PATH]; /* "": none */
	double weight;                  /* how often a batch, or a sample, is of this set */
	omt_fusion fusion;              /* of clips that do not say use_audio */
} omt_train_data;

typedef struct omt_train_settings {
	char model[OMT_TRAIN_PATH], output[OMT_TRAIN_PATH];
	omt_train_method method;
	bool freeze_encoders;
	int32_t lora_rank;
	double lora_alpha;
	const char *targets[OMT_LORA_TARGETS + 1]; /* borrowed from `yaml` or static */
	omt_loss_options loss;
	int32_t negatives; /* hard negatives a query at most */
	int32_t batch;     /* queries */
	bool same_dataset;
	int32_t micro_batch, max_tokens; /* items and tokens of a forward */
	bool gradient_cache;
	int keep; /* 0: all, 1: checkpoints */
	int32_t accumulate;
	omt_optimiser_options optimiser;
	int64_t steps, seed, cache_mb, save_every, log_every;
	int32_t threads;
	int dtype; /* of final/, by omt_train_dtypes */
	char backend[64], device[128];
	int64_t eval_every; /* steps; 0: no evaluation */
	int32_t cuts[OMT_TRAIN_CUTS];
	size_t cut_count;
	char subtitle_language[16];
	omt_limits limits; /* points to it: the settings do not move */
	omt_train_data *data, *evals;
	size_t data_count, eval_count;
	omt_yaml yaml;
} omt_train_settings;

extern const char *const omt_train_dtypes[]; /* ended by NULL */

/* `sets`: "key=value" that go over the file's (omt_yaml_set). */
omt_status omt_train_settings_load(const char *path, const char *const *sets, size_t set_count,
                                   omt_train_settings *settings, omt_error *err);
/* The same of the file's content, `path` being its name. */
omt_status omt_train_settings_parse(const char *path, const char *text, size_t bytes,
                                    const char *const *sets, size_t set_count,
                                    omt_train_settings *settings, omt_error *err);
void omt_train_settings_free(omt_train_settings *settings);

/* All that decides the parameters at the end but files' contents, as an object of objects; of paths
 * nothing. Given; NULL: no memory. */
json_t *omt_train_settings_values(const omt_train_settings *settings);
/* OMT_BAD_ARGUMENT names the first value that differs from `before`, which an earlier run kept. */
omt_status omt_train_settings_compare(const json_t *before, const json_t *now, omt_error *err);

#endif
