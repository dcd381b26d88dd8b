#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/harness.h"

static const char *const top_keys[] = {"model",  "backend", "device", "data",
                                       "engine", "warmup",  "k",      "repetitions",
                                       "output", "trace",   NULL};
static const char *const data_keys[] = {"passages", "queries", "qrels", NULL};
static const char *const engine_keys[] = {"batch", "max_tokens", "slots", "threads", NULL};

/* The path at `key`, relative to the file's folder; given. */
static omt_status read_path(omt_json in, const char *key, const char *folder, bool needed,
                            char **path, omt_error *err)
{
	const char *text = NULL;
	OMT_TRY(omt_json_string(in, key, &text, err));
	*path = NULL;
	if (!text && !needed)
		return OMT_OK;
	if (!text)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %s is missing", in.place, key);
	*path = omt_path_join(folder, text);
	return *path ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", in.place);
}

/* Device files are relative to the folder, too; numbers and names are none. */
static omt_status read_device(omt_json top, const char *folder, omt_bench_settings *s,
                              omt_error *err)
{
	const char *at = NULL;
	char *list = NULL;
	size_t bytes = 0;
	OMT_TRY(omt_json_string(top, "device", &at, err));
	if (!at)
		return OMT_OK;
	FILE *to = open_memstream(&list, &bytes);
	for (; to && at; at = *at ? at + 1 : NULL) {
		const size_t length = strcspn(at, ",");
		char *name = strndup(at, length);
		const bool file = length > 5 && !strncmp(at + length - 5, ".yaml", 5);
		char *path = name && file ? omt_path_join(folder, name) : name;
		at += length;
		fprintf(to, "%s%s", path ? path : "", *at ? "," : "");
		if (path != name)
			free(path);
		free(name);
	}
	if (!to || fclose(to) != 0)
		return OMT_FAIL(err, NO_MEMORY, "%s", top.place);
	s->engine.device = s->device = list;
	return OMT_OK;
}

static omt_status read_settings(omt_bench_settings *s, const char *folder, omt_error *err)
{
	omt_json top = omt_yaml_at(&s->yaml, ""), data = omt_yaml_at(&s->yaml, "data");
	omt_json engine = omt_yaml_at(&s->yaml, "engine");
	OMT_TRY(omt_yaml_only(&s->yaml, "", top_keys, err));
	OMT_TRY(omt_yaml_only(&s->yaml, "data", data_keys, err));
	OMT_TRY(omt_yaml_only(&s->yaml, "engine", engine_keys, err));
	if (!data.object)
		return OMT_FAIL(err, BAD_FORMAT, "%s: data is missing", top.place);
	OMT_TRY(read_path(top, "model", folder, true, &s->model, err));
	OMT_TRY(read_path(top, "output", folder, false, &s->output, err));
	OMT_TRY(read_path(top, "trace", folder, false, &s->trace, err));
	OMT_TRY(read_path(data, "passages", folder, true, &s->passages, err));
	OMT_TRY(read_path(data, "queries", folder, true, &s->queries, err));
	OMT_TRY(read_path(data, "qrels", folder, true, &s->qrels, err));
	OMT_TRY(omt_json_string(top, "backend", &s->engine.backend, err));
	OMT_TRY(read_device(top, folder, s, err));
	OMT_TRY(omt_json_int(top, "warmup", 0, 1000000, &s->warmup, err));
	OMT_TRY(omt_json_int(top, "repetitions", 1, 1000, &s->repetitions, err));
	OMT_TRY(omt_json_ints(top, "k", 1, 100000, s->cuts, OMT_BENCH_CUTS, &s->cut_count, err));
	if (engine.object) {
		OMT_TRY(omt_json_int(engine, "batch", 1, 65536, &s->engine.batch_items, err));
		OMT_TRY(omt_json_int(engine, "max_tokens", 16, 1 << 20, &s->engine.max_tokens,
		                     err));
		OMT_TRY(omt_json_int(engine, "slots", 1, 16, &s->engine.slots, err));
		OMT_TRY(omt_json_int(engine, "threads", 1, 256, &s->engine.threads, err));
	}
	return OMT_OK;
}

omt_status omt_bench_settings_load(const char *path, omt_bench_settings *s, omt_error *err)
{
	*s = (omt_bench_settings){
		.warmup = 8, .repetitions = 3, .cuts = {1, 5, 10}, .cut_count = 3};
	omt_engine_options_init(&s->engine);
	OMT_TRY(omt_yaml_load(path, &s->yaml, err));
	char *folder = omt_path_folder(path);
	omt_status status =
		folder ? read_settings(s, folder, err) : OMT_FAIL(err, NO_MEMORY, "%s", path);
	free(folder);
	if (status != OMT_OK)
		omt_bench_settings_free(s);
	return status;
}

void omt_bench_settings_free(omt_bench_settings *s)
{
	free(s->model);
	free(s->passages);
	free(s->queries);
	free(s->qrels);
	free(s->output);
	free(s->trace);
	free(s->device);
	omt_yaml_free(&s->yaml);
	*s = (omt_bench_settings){0};
}
