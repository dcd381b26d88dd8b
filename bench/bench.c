/* omt_bench(): point after point of the grid, each with its record. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "bench/results.h"
#include "bench/retrieval.h"
#include "bench/settings.h"

/* What stays open from one point to the next. */
typedef struct omt_bench_session {
	const omt_bench_options *options;
	omt_bench_grid grid;
	omt_bench_results results;
	json_t *digests; /* path: SHA-256, of what was read so far */
	omt_model *model;
	omt_engine *engine;
	json_t *opened; /* settings that the engine was opened with; NULL: none is open */
	omt_trace *trace;
	double model_s, open_s;
	bool reused; /* by the point that runs */
	size_t skipped, failed;
} omt_bench_session;

static void tell(const omt_bench_session *session, const char *format, ...) OMT_PRINTF(2, 3);

static void tell(const omt_bench_session *session, const char *format, ...)
{
	char text[600];
	const omt_progress *progress = &session->options->progress;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (progress->note)
		progress->note(progress->user, text);
}

/* ---- identity of a point ----------------------------------------------------------------------
 */

static omt_status digest_of(omt_bench_session *session, const char *path, const char **digest,
                            omt_error *err)
{
	char text[OMT_DIGEST_TEXT];
	*digest = json_string_value(json_object_get(session->digests, path));
	if (*digest)
		return OMT_OK;
	OMT_TRY(omt_digest_file(path, text, err));
	json_object_set_new_nocheck(session->digests, path, json_string(text));
	*digest = json_string_value(json_object_get(session->digests, path));
	return *digest ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", path);
}

/* {"yaml": {"path", "sha256"}, "passages": ...}; given. */
static omt_status describe_files(omt_bench_session *session, const omt_bench_settings *s,
                                 json_t *files, omt_error *err)
{
	const struct {
		const char *name, *path;
	} all[] = {
		{"yaml", session->grid.yaml.path},
		{"passages", s->passages},
		{"queries", s->queries},
		{"qrels", s->qrels},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const char *digest;
		if (!all[i].path)
			continue;
		OMT_TRY(digest_of(session, all[i].path, &digest, err));
		json_object_set_new(
			files, all[i].name,
			json_pack("{so ss}", "path", omt_json_text(all[i].path), "sha256", digest));
	}
	return OMT_OK;
}

/* Names of files to write say nothing about what is measured, nor does the grid around a point. */
static omt_status make_key(const omt_bench_point *point, const json_t *files,
                           char key[OMT_DIGEST_TEXT], omt_error *err)
{
	static const char *const apart[][2] = {{NULL, "name"},
	                                       {NULL, "output"},
	                                       {NULL, "trace"},
	                                       {"scenario", "requests"},
	                                       {"retrieval", "run"}};
	json_t *settings = json_deep_copy(point->settings), *data = json_object(), *file;
	const char *name;
	for (size_t i = 0; i < sizeof apart / sizeof *apart; i++)
		json_object_del(apart[i][0] ? json_object_get(settings, apart[i][0]) : settings,
		                apart[i][1]);
	json_object_foreach((json_t *)(uintptr_t)files, name, file) if (strcmp(name, "yaml") != 0)
		json_object_set(data, name, json_object_get(file, "sha256"));
	json_t *all = json_pack("{so so}", "settings", settings, "data", data);
	char *text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	json_decref(all);
	omt_status status = text ? omt_digest_pieces(&(omt_piece){text, strlen(text)}, 1, key, err)
	                         : OMT_FAIL(err, NO_MEMORY, "a point's key");
	free(text);
	return status;
}

/* ---- model and engine --------------------------------------------------------------------------
 */

static void close_engine(omt_bench_session *session)
{
	omt_engine_close(session->engine);
	omt_model_close(session->model);
	json_decref(session->opened);
	session->engine = NULL;
	session->model = NULL;
	session->opened = NULL;
}

/* An engine to which items come over time sends a batch as soon as a device is free. */
static omt_engine_options engine_options(const omt_bench_session *session,
                                         const omt_bench_settings *s)
{
	omt_engine_options options = s->engine;
	options.eager = s->scenario.mode != OMT_BENCH_OFFLINE;
	options.progress = session->options->progress;
	options.trace = session->trace;
	return options;
}

static void free_vectors(omt_bench_vectors vectors[2])
{
	omt_bench_vectors_free(&vectors[0]);
	omt_bench_vectors_free(&vectors[1]);
}

/* Opens what the point asks for; what the last one left open is taken where nothing differs. The
 * model is one for the file. */
static omt_status open_engine(omt_bench_session *session, const omt_bench_point *point,
                              omt_error *err)
{
	static const char *const keys[] = {"backend", "device", "weights", "tiles", "engine"};
	const omt_engine_options options = engine_options(session, &point->s);
	json_t *wanted = json_object();
	json_object_set_new(wanted, "eager", json_boolean(options.eager));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(wanted, keys[i], json_object_get(point->settings, keys[i]));
	session->reused = session->engine && json_equal(wanted, session->opened);
	if (session->reused) {
		json_decref(wanted);
		return OMT_OK;
	}
	omt_engine_close(session->engine);
	session->engine = NULL;
	json_decref(session->opened);
	session->opened = wanted;
	const double start = omt_now_s();
	if (!session->model)
		OMT_TRY(omt_model_open(point->s.model, &session->model, err));
	session->model_s = omt_now_s() - start;
	OMT_TRY(omt_engine_open(session->model, &options, &session->engine, err));
	session->open_s = omt_now_s() - start;
	return OMT_OK;
}

/* ---- a record ----------------------------------------------------------------------------------
 */

static json_t *describe_host(void)
{
	struct utsname host;
	uname(&host);
	return json_pack("{ss ss sI}", "system", host.sysname, "machine", host.machine, "cores",
	                 (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

/* Everything that is needed to do it again, but for the engine. */
static void describe_run(const omt_bench_session *session, const omt_bench_point *point,
                         const char *key, json_t *files, json_t *record)
{
	char date[32] = "";
	time_t now = time(NULL);
	struct tm utc;
	if (gmtime_r(&now, &utc))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
	char *model = omt_model_describe(session->model);
	json_object_set_new(record, "record", json_integer(OMT_BENCH_RECORD));
	json_object_set_new(record, "key", json_string(key));
	json_object_set_new(record, "name",
	                    point->s.name ? json_string(point->s.name) : json_null());
	json_object_set_new(record, "date", json_string(date));
	json_object_set_new(record, "omnitile", json_string(omt_version()));
	json_object_set(record, "point", point->varies);
	json_object_set(record, "settings", point->settings);
	json_object_set(record, "files", files);
	json_object_set_new(record, "host", describe_host());
	json_object_set_new(record, "model", json_loads(model ? model : "{}", 0, NULL));
	omt_free(model);
}

/* The engine after its work: with what each device did. */
static void describe_engine(const omt_bench_session *session, json_t *record)
{
	char *text = omt_engine_describe(session->engine);
	json_object_set_new(record, "engine", json_loads(text ? text : "{}", 0, NULL));
	json_object_set_new(record, "start",
	                    json_pack("{sf sf sb}", "model_s", session->model_s, "open_s",
	                              session->open_s, "reused", session->reused));
	omt_free(text);
}

static omt_status check_point(const omt_bench_session *session, const omt_bench_settings *s,
                              omt_error *err)
{
	char why[80];
	const int32_t dimension = omt_model_dimension(session->model);
	snprintf(why, sizeof why, "is %d, the model's vectors have %d values", s->dimension,
	         dimension);
	return s->dimension <= dimension
	               ? OMT_OK
	               : omt_bench_point_refuse(&session->grid, "dimension", why, err);
}

/* The point's files and how they are gone through. */
static omt_status run_scenario(const omt_bench_session *session, const omt_bench_settings *s,
                               const omt_bench_scenario *scenario, omt_engine *engine,
                               json_t **parts, omt_bench_vectors vectors[2], omt_error *err)
{
	const omt_bench_file files[2] = {
		{"passages", s->passages, OMT_ROLE_PASSAGE, s->limits},
		{"queries", s->queries, OMT_ROLE_QUERY, s->limits},
	};
	const omt_bench_load load = {.engine = engine,
	                             .scenario = scenario,
	                             .files = files,
	                             .file_count = s->queries ? 2 : 1,
	                             .dimension = omt_model_dimension(session->model),
	                             .progress = session->options->progress,
	                             .stop = session->options->stop,
	                             .user = session->options->user};
	return omt_bench_scenario_run(&load, parts, vectors, err);
}

/* The same parts with one slot: nothing is prepared or moved while a device computes. */
static omt_status run_serial(const omt_bench_session *session, const omt_bench_settings *s,
                             json_t *parts, omt_error *err)
{
	omt_engine_options options = engine_options(session, s);
	omt_bench_scenario scenario = s->scenario;
	omt_bench_vectors vectors[2] = {0};
	omt_engine *engine = NULL;
	json_t *serial = NULL;
	options.slots = 1;
	scenario.requests = NULL;
	OMT_TRY(omt_engine_open(session->model, &options, &engine, err));
	omt_status status = run_scenario(session, s, &scenario, engine, &serial, vectors, err);
	if (status == OMT_OK)
		omt_bench_parts_compare(parts, serial);
	json_decref(serial);
	free_vectors(vectors);
	omt_engine_close(engine);
	return status;
}

/* Vectors of all items where the measured parts left none: a pass that is in no figure. */
static omt_status fill_vectors(const omt_bench_session *session, const omt_bench_settings *s,
                               omt_bench_vectors vectors[2], omt_error *err)
{
	const omt_bench_scenario once = {
		.mode = OMT_BENCH_OFFLINE, .min_queries = 1, .repetitions = 1, .seed = 1};
	json_t *parts = NULL;
	if (vectors[0].data)
		return OMT_OK;
	free_vectors(vectors);
	omt_status status = run_scenario(session, s, &once, session->engine, &parts, vectors, err);
	json_decref(parts);
	return status;
}

/* Measures the point; what is told about it goes into the record. */
static omt_status measure(omt_bench_session *session, const omt_bench_point *point, json_t *record,
                          omt_error *err)
{
	const omt_bench_settings *s = &point->s;
	omt_bench_vectors vectors[2] = {0};
	json_t *parts = NULL, *retrieval = NULL;
	omt_status status;
	OMT_GOTO(run_scenario(session, s, &s->scenario, session->engine, &parts, vectors, err));
	describe_engine(session, record);
	json_object_set(record, "parts", parts);
	if (s->scenario.overlap)
		OMT_GOTO(run_serial(session, s, parts, err));
	if (s->qrels && strcmp(s->engine.backend, "model") != 0) {
		OMT_GOTO(fill_vectors(session, s, vectors, err));
		OMT_GOTO(omt_bench_retrieval(s, &vectors[0], &vectors[1], &retrieval, err));
		json_object_set(record, "retrieval", retrieval);
	}
done:
	json_decref(parts);
	json_decref(retrieval);
	free_vectors(vectors);
	return status;
}

/* ---- the grid ----------------------------------------------------------------------------------
 */

static void give_line(const omt_bench_session *session, const json_t *json)
{
	char *text = session->options->line
	                     ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(6))
	                     : NULL;
	if (text)
		session->options->line(session->options->user, text);
	free(text);
}

static omt_status run_point(omt_bench_session *session, const omt_bench_point *point,
                            const char *key, json_t *files, omt_error *err)
{
	json_t *record = json_object();
	omt_status status, traced = OMT_OK;
	if (point->s.trace)
		OMT_GOTO(omt_trace_open(point->s.trace, &session->trace, err));
	OMT_GOTO(open_engine(session, point, err));
	OMT_GOTO(check_point(session, &point->s, err));
	describe_run(session, point, key, files, record);
	OMT_GOTO(measure(session, point, record, err));
	OMT_GOTO(omt_bench_results_append(&session->results, record, err));
	give_line(session, record);
done:
	json_decref(record);
	if (session->trace) { /* there is one point; its engine writes to it to the end */
		close_engine(session);
		traced = omt_trace_close(session->trace, status == OMT_OK,
		                         status == OMT_OK ? err : NULL);
		session->trace = NULL;
	}
	return status == OMT_OK ? traced : status;
}

/* Runs one point, or leaves it out. */
static omt_status take_point(omt_bench_session *session, size_t number, omt_error *err)
{
	omt_bench_point point;
	char key[OMT_DIGEST_TEXT];
	char *varies = NULL;
	bool there = false;
	json_t *files = json_object();
	omt_status status;
	OMT_GOTO(omt_bench_point_open(&session->grid, number, &point, err));
	varies = json_dumps(point.varies, JSON_COMPACT);
	OMT_GOTO(describe_files(session, &point.s, files, err));
	OMT_GOTO(make_key(&point, files, key, err));
	there = !session->options->restart && omt_bench_results_have(&session->results, key);
	session->skipped += there;
	if (session->options->dry_run) {
		json_t *line = json_pack("{sI sO ss sb}", "number", (json_int_t)number + 1, "point",
		                         point.varies, "key", key, "done", there);
		give_line(session, line);
		json_decref(line);
	} else if (there) {
		tell(session, "point %zu of %zu %s: its record is in %s already", number + 1,
		     session->grid.points, varies ? varies : "", session->results.path);
	} else {
		status = run_point(session, &point, key, files, err);
		if (status != OMT_OK && status != OMT_STOPPED && session->grid.points > 1)
			tell(session, "point %zu of %zu %s failed: %s", number + 1,
			     session->grid.points, varies ? varies : "", err->text);
	}
done:
	json_decref(files);
	free(varies);
	omt_bench_point_free(&point);
	return status;
}

static omt_status run_grid(omt_bench_session *session, omt_error *err)
{
	omt_error first = {0};
	size_t failed = 0;
	for (size_t number = 0; number < session->grid.points; number++) {
		omt_error error = {0};
		if (session->options->stop && session->options->stop(session->options->user))
			return OMT_FAIL(err, STOPPED, "stopped before point %zu of %zu", number + 1,
			                session->grid.points);
		const omt_status status = take_point(session, number, &error);
		if (status == OMT_STOPPED)
			return OMT_FAIL(err, STOPPED, "%s", error.text);
		first = status != OMT_OK && !failed ? error : first;
		failed += status != OMT_OK;
	}
	if (!failed)
		return OMT_OK;
	if (session->grid.points == 1)
		return omt_fail(err, first.status, "%s", first.text);
	return omt_fail(err, first.status, "%.400s (%zu of %zu points failed)", first.text, failed,
	                session->grid.points);
}

omt_status omt_bench(const char *yaml_path, const omt_bench_options *options, omt_error *err)
{
	static const omt_bench_options zeros;
	omt_bench_session session = {.options = options ? options : &zeros,
	                             .results = {.fd = -1},
	                             .digests = json_object()};
	omt_bench_point first;
	omt_status status =
		omt_bench_grid_load(yaml_path, &session.options->progress, &session.grid, err);
	if (status != OMT_OK) {
		json_decref(session.digests);
		return status;
	}
	OMT_GOTO(omt_bench_point_open(&session.grid, 0, &first, err));
	status = omt_bench_results_open(first.s.output, !session.options->dry_run,
	                                &session.options->progress, &session.results, err);
	if (status == OMT_OK)
		status = run_grid(&session, err);
	omt_bench_point_free(&first);
done:
	close_engine(&session);
	omt_bench_results_close(&session.results);
	omt_bench_grid_free(&session.grid);
	json_decref(session.digests);
	return status;
}
