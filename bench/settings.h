/* settings.h - the benchmark file of bench/README.md: one table of keys reads it, fills in defaults
 * and spans the grid.
 *
 * A key of the table that may hold a list is an axis of the grid when it does; points are numbered
 * from 0 in the order in which they run: the file's last axis varies fastest. */
#ifndef OMT_BENCH_SETTINGS_H
#define OMT_BENCH_SETTINGS_H

#include "base/yaml.h"
#include "bench/scenario/scenario.h"

#define OMT_BENCH_CUTS     16
#define OMT_BENCH_PROFILED 4 /* batches of a part whose ops are timed */

/* What one point is. Strings are the point's, paths joined with the file's folder; NULL: not said.
 */
typedef struct omt_bench_settings {
	const char *name, *model, *adapter, *output, *trace;
	omt_engine_options engine;
	const char *card_name; /* mode modelled; as omt_plan()'s device */
	omt_plan_card card;
	omt_limits limits;
	int32_t dimension; /* 0: the model's */
	const char *beir, *split;
	const char *passages, *queries, *qrels; /* of the BEIR folder, too */
	omt_bench_scenario scenario;
	const char *convention, *run;
	int32_t cuts[OMT_BENCH_CUTS];
	size_t cut_count; /* 0: the convention's */
	int32_t bootstrap;
	bool profile, roofline, energy;
} omt_bench_settings;

/* Whether the device is a model of one's time, whose vectors are zeros. */
bool omt_bench_is_modelled(const omt_bench_settings *settings);

typedef struct omt_bench_grid {
	omt_yaml yaml;
	char *folder;  /* of the file */
	json_t *axes;  /* "engine.slots": [1, 2], in the file's order */
	size_t points; /* product of their lengths; at least 1 */
} omt_bench_grid;

/* Every unknown key, wrong type, value out of range and impossible combination is found: the first
 * is the error, "FILE:LINE: ...", and with several each of up to 20 is a note of `progress` (may
 * be NULL). `text` of omt_bench_grid_parse() is the file's content, `path` its name. */
omt_status omt_bench_grid_load(const char *path, const omt_progress *progress, omt_bench_grid *grid,
                               omt_error *err);
omt_status omt_bench_grid_parse(const char *path, const char *text, size_t bytes,
                                const omt_progress *progress, omt_bench_grid *grid, omt_error *err);
void omt_bench_grid_free(omt_bench_grid *grid);

typedef struct omt_bench_point {
	omt_bench_settings s;
	json_t *settings; /* the file's values at this point, defaults filled in */
	json_t *varies;   /* what the grid varies: {"engine.slots": 1} */
	json_t *texts;    /* strings that `s` points to */
} omt_bench_point;

/* Point `number` < points of a file that loaded. With several points the names of `run` and
 * `requests` get the number, from 1, before their extension: run-3.trec. */
omt_status omt_bench_point_open(const omt_bench_grid *grid, size_t number, omt_bench_point *point,
                                omt_error *err);
void omt_bench_point_free(omt_bench_point *point);

/* Fails with file and line of `key`, for what shows only when the point runs. */
omt_status omt_bench_point_refuse(const omt_bench_grid *grid, const char *key, const char *why,
                                  omt_error *err);

#endif
