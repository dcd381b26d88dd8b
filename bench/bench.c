/* omt_bench(): settings, engine, passes, retrieval, and one record of it all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/digest.h"
#include "bench/harness.h"

static omt_status add_digest(json_t *digests, const char *name, const char *path, omt_error *err)
{
	char digest[OMT_DIGEST_TEXT];
	OMT_TRY(omt_digest_file(path, digest, err));
	json_object_set_new(digests, name, json_pack("{ss ss}", "path", path, "sha256", digest));
	return OMT_OK;
}

/* Everything that is needed to do it again, but for the engine. */
static omt_status describe_run(const char *path, const omt_bench_settings *settings,
                               const omt_model *model, json_t *record, omt_error *err)
{
	struct utsname host;
	char date[32] = "";
	time_t now = time(NULL);
	struct tm utc;
	json_t *files = json_object();
	char *model_json = omt_model_describe(model);
	if (gmtime_r(&now, &utc))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	uname(&host);
	json_object_set_new(record, "omnitile", json_string(omt_version()));
	json_object_set_new(record, "date", json_string(date));
	json_object_set_new(record, "host",
	                    json_pack("{ss ss sI}", "system", host.sysname, "machine", host.machine,
	                              "cores", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(record, "settings", json_deep_copy(settings->yaml.root));
	json_object_set_new(record, "model", json_loads(model_json ? model_json : "{}", 0, NULL));
	json_object_set_new(record, "repetitions", json_integer(settings->repetitions));
	json_object_set_new(record, "warmup", json_integer(settings->warmup));
	json_object_set_new(record, "files", files);
	omt_free(model_json);
	OMT_TRY(add_digest(files, "yaml", path, err));
	OMT_TRY(add_digest(files, "passages", settings->passages, err));
	OMT_TRY(add_digest(files, "queries", settings->queries, err));
	return add_digest(files, "qrels", settings->qrels, err);
}

/* The engine after its work: with what each device did. */
static void describe_engine(const omt_engine *engine, json_t *record)
{
	char *text = omt_engine_describe(engine);
	json_object_set_new(record, "engine", json_loads(text ? text : "{}", 0, NULL));
	omt_free(text);
}

static omt_status append_record(const char *path, const char *text, omt_error *err)
{
	FILE *file = fopen(path, "abe");
	if (!file)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	bool whole = fprintf(file, "%s\n", text) > 0;
	whole = fclose(file) == 0 && whole;
	return whole ? OMT_OK : OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
}

static omt_status run(const char *path, const omt_bench_settings *settings,
                      const omt_progress *progress, json_t *record, omt_error *err)
{
	omt_model *model = NULL;
	omt_engine *engine = NULL;
	omt_bench_vectors passages = {0}, queries = {0};
	json_t *passes = json_array(), *retrieval = NULL;
	omt_engine_options options = settings->engine;
	omt_status status;
	if (progress)
		options.progress = *progress;
	if (settings->trace)
		OMT_GOTO(omt_trace_open(settings->trace, &options.trace, err));
	OMT_GOTO(omt_model_open(settings->model, &model, err));
	OMT_GOTO(omt_engine_open(model, &options, &engine, err));
	OMT_GOTO(describe_run(path, settings, model, record, err));
	passages.dimension = queries.dimension = omt_model_dimension(model);
	OMT_GOTO(omt_bench_passes(engine, settings, settings->passages, OMT_ROLE_PASSAGE, progress,
	                          passes, &passages, err));
	OMT_GOTO(omt_bench_passes(engine, settings, settings->queries, OMT_ROLE_QUERY, progress,
	                          passes, &queries, err));
	OMT_GOTO(omt_bench_retrieval(settings, &passages, &queries, &retrieval, err));
	describe_engine(engine, record);
	json_object_set(record, "passes", passes);
	json_object_set(record, "retrieval", retrieval);
done:
	json_decref(passes);
	json_decref(retrieval);
	omt_bench_vectors_free(&passages);
	omt_bench_vectors_free(&queries);
	omt_engine_close(engine);
	omt_model_close(model);
	omt_status traced =
		omt_trace_close(options.trace, status == OMT_OK, status == OMT_OK ? err : NULL);
	return status == OMT_OK ? traced : status;
}

omt_status omt_bench(const char *yaml_path, const omt_progress *progress, char **given,
                     omt_error *err)
{
	omt_bench_settings settings;
	json_t *record = json_object();
	char *text = NULL;
	*given = NULL;
	omt_status status = omt_bench_settings_load(yaml_path, &settings, err);
	if (status != OMT_OK) {
		json_decref(record);
		return status;
	}
	OMT_GOTO(run(yaml_path, &settings, progress, record, err));
	text = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(6));
	if (!text)
		status = OMT_FAIL(err, NO_MEMORY, "the record");
	else if (settings.output)
		status = append_record(settings.output, text, err);
done:
	json_decref(record);
	omt_bench_settings_free(&settings);
	if (status == OMT_OK)
		*given = text;
	else
		free(text);
	return status;
}
