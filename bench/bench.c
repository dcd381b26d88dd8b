/* omt_bench(): point after point of the grid, each with its record. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/digest.h"
#include "bench/probes/host.h"
#include "bench/results.h"
#include "bench/session.h"

/* A file being run. */
typedef struct omt_bench_work {
	const omt_bench_options *options;
	omt_bench_grid grid;
	omt_bench_results results;
	json_t *digests; /* path: SHA-256, of what was read so far */
	omt_bench_session session;
} omt_bench_work;

/* ---- identity of a point ------------------------------------------------------------------- */

static omt_status digest_of(omt_bench_work *work, const char *path, const char **digest,
                            omt_error *err)
{
	char text[OMT_DIGEST_TEXT];
	*digest = json_string_value(json_object_get(work->digests, path));
	if (*digest)
		return OMT_OK;
	OMT_TRY(omt_digest_file(path, text, err));
	json_object_set_new_nocheck(work->digests, path, json_string(text));
	*digest = json_string_value(json_object_get(work->digests, path));
	return *digest ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", path);
}

/* {"yaml": {"path", "sha256"}, "passages": ...}; given. */
static omt_status describe_files(omt_bench_work *work, const omt_bench_settings *s, json_t *files,
                                 omt_error *err)
{
	const struct {
		const char *name, *path;
	} all[] = {
		{"yaml", work->grid.yaml.path},
		{"passages", s->passages},
		{"queries", s->queries},
		{"qrels", s->qrels},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const char *digest;
		if (!all[i].path)
			continue;
		OMT_TRY(digest_of(work, all[i].path, &digest, err));
		json_object_set_new(
			files, all[i].name,
			json_pack("{so ss}", "path", omt_json_text(all[i].path), "sha256", digest));
	}
	return OMT_OK;
}

/* Model and data count by what they hold, not by where they lie; names of files to write say
 * nothing about what is measured, nor does the grid around a point. */
static omt_status make_key(const omt_bench_point *point, const char *model, const json_t *files,
                           char key[OMT_DIGEST_TEXT], omt_error *err)
{
	static const char *const apart[][2] = {
		{NULL, "name"},   {NULL, "model"}, {NULL, "adapter"},        {NULL, "data"},
		{NULL, "output"}, {NULL, "trace"}, {"scenario", "requests"}, {"retrieval", "run"}};
	json_t *settings = json_deep_copy(point->settings), *data = json_object(), *file;
	const char *name;
	for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
		json_object_del(apart[i][0] ? json_object_get(settings, apart[i][0]) : settings,
		                apart[i][1]);
	json_object_foreach((json_t *)(uintptr_t)files, name, file) if (strcmp(name, "yaml") != 0)
		json_object_set(data, name, json_object_get(file, "sha256"));
	json_t *all = json_pack("{so ss so}", "settings", settings, "model", model, "data", data);
	char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(all);
	omt_status status = text ? omt_digest_pieces(&(omt_piece){text, strlen(text)}, 1, key, err)
	                         : OMT_FAIL(err, NO_MEMORY, "a point's key");
	free(text);
	return status;
}

/* ---- a record ------------------------------------------------------------------------------ */

/* Everything that is needed to do it again, but for model and engine. */
static void describe_run(const omt_bench_point *point, const char *key, json_t *files,
                         json_t *record)
{
	char date[32] = "";
	time_t now = time(NULL);
	struct tm utc;
	if (gmtime_r(&now, &utc))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	json_object_set_new(record, "record", json_integer(OMT_BENCH_RECORD));
	json_object_set_new(record, "key", json_string(key));
	json_object_set_new(record, "name",
	                    point->s.name ? json_string(point->s.name) : json_null());
	json_object_set_new(record, "date", json_string(date));
	json_object_set_new(record, "omnitile", json_string(omt_version()));
	json_object_set(record, "point", point->varies);
	json_object_set(record, "settings", point->settings);
	json_object_set(record, "files", files);
	json_object_set_new(record, "host", omt_host_describe());
}

/* ---- the grid ------------------------------------------------------------------------------ */

static void give_line(const omt_bench_work *work, const json_t *json)
{
	char *text = work->options->line ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6))
	                                 : NULL;
	if (text)
		work->options->line(work->options->user, text);
	free(text);
}

static omt_status run_point(omt_bench_work *work, const omt_bench_point *point, const char *key,
                            json_t *files, omt_error *err)
{
	json_t *record = json_object();
	omt_status status, closed = OMT_OK;
	describe_run(point, key, files, record);
	OMT_GOTO(omt_bench_session_measure(&work->session, point, record, err));
	OMT_GOTO(omt_bench_results_append(&work->results, record, err));
	give_line(work, record);
done:
	json_decref(record);
	if (work->session.trace) /* of the only point; its engine writes to it to the end */
		closed = omt_bench_session_close(&work->session, status == OMT_OK,
		                                 status == OMT_OK ? err : NULL);
	return status == OMT_OK ? closed : status;
}

/* Runs one point, or leaves it out. */
static omt_status take_point(omt_bench_work *work, size_t number, omt_error *err)
{
	omt_bench_point point;
	char key[OMT_DIGEST_TEXT];
	char *varies = NULL;
	bool there = false;
	json_t *files = json_object();
	omt_status status;
	OMT_GOTO(omt_bench_point_open(&work->grid, number, &point, err));
	varies = json_dumps(point.varies, JSON_COMPACT);
	OMT_GOTO(describe_files(work, &point.s, files, err));
	OMT_GOTO(omt_bench_session_model(&work->session, &point, err));
	OMT_GOTO(make_key(&point, work->session.identity, files, key, err));
	there = !work->options->restart && omt_bench_results_have(&work->results, key);
	if (work->options->dry_run) {
		json_t *line = json_pack("{sI sO ss sb}", "number", (json_int_t)number + 1, "point",
		                         point.varies, "key", key, "done", there);
		give_line(work, line);
		json_decref(line);
	} else if (there) {
		omt_note(&work->options->progress,
		         "point %zu of %zu %s: its record is in %s already", number + 1,
		         work->grid.points, varies ? varies : "", work->results.path);
	} else {
		if (work->grid.points > 1)
			omt_note(&work->options->progress, "point %zu of %zu %s", number + 1,
			         work->grid.points, varies ? varies : "");
		status = run_point(work, &point, key, files, err);
		if (status != OMT_OK && status != OMT_STOPPED && work->grid.points > 1)
			omt_note(&work->options->progress, "point %zu of %zu %s failed: %s",
			         number + 1, work->grid.points, varies ? varies : "", err->text);
	}
done:
	json_decref(files);
	free(varies);
	omt_bench_point_free(&point);
	return status;
}

static omt_status run_grid(omt_bench_work *work, omt_error *err)
{
	omt_error first = {0};
	size_t failed = 0;
	for (size_t number = 0; number < work->grid.points; number++) {
		omt_error error = {0};
		if (work->options->stop && work->options->stop(work->options->user))
			return OMT_FAIL(err, STOPPED, "stopped before point %zu of %zu", number + 1,
			                work->grid.points);
		const omt_status status = take_point(work, number, &error);
		if (status == OMT_STOPPED)
			return OMT_FAIL(err, STOPPED, "%s", error.text);
		first = status != OMT_OK && !failed ? error : first;
		failed += status != OMT_OK;
	}
	if (!failed)
		return OMT_OK;
	if (work->grid.points == 1)
		return omt_fail(err, first.status, "%s", first.text);
	return omt_fail(err, first.status, "%.400s (%zu of %zu points failed)", first.text, failed,
	                work->grid.points);
}

omt_status omt_bench(const char *yaml_path, const omt_bench_options *options, omt_error *err)
{
	static const omt_bench_options zeros;
	omt_bench_work work = {.options = options ? options : &zeros,
	                       .results = {.fd = -1},
	                       .digests = json_object()};
	omt_bench_point first;
	omt_status status =
		omt_bench_grid_load(yaml_path, &work.options->progress, &work.grid, err);
	if (status != OMT_OK) {
		json_decref(work.digests);
		return status;
	}
	work.session.options = work.options;
	work.session.grid = &work.grid;
	OMT_GOTO(omt_bench_point_open(&work.grid, 0, &first, err));
	if (work.options->trace && work.grid.points > 1)
		status = OMT_FAIL(err, BAD_ARGUMENT, "%s: one trace for a grid of %zu points",
		                  yaml_path, work.grid.points);
	else
		status = omt_bench_results_open(
			work.options->output ? work.options->output : first.s.output,
			!work.options->dry_run, &work.options->progress, &work.results, err);
	if (status == OMT_OK)
		status = run_grid(&work, err);
	omt_bench_point_free(&first);
done:
	(void)omt_bench_session_close(&work.session, false, NULL);
	omt_bench_results_close(&work.results);
	omt_bench_grid_free(&work.grid);
	json_decref(work.digests);
	return status;
}
