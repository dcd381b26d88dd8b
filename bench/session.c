#include "bench/session.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench/modelled.h"
#include "bench/probes/host.h"
#include "bench/retrieval.h"
#include "bench/probes/roofline.h"

/* ---- model and engine ---------------------------------------------------------------------- */

static void close_engine(omt_bench_session *session)
{
	omt_engine_close(session->engine);
	json_decref(session->opened);
	session->engine = NULL;
	session->opened = NULL;
}

static void free_vectors(omt_bench_vectors vectors[2])
{
	omt_bench_vectors_free(&vectors[0]);
	omt_bench_vectors_free(&vectors[1]);
}

omt_status omt_bench_session_close(omt_bench_session *session, bool commit, omt_error *err)
{
	close_engine(session);
	free_vectors(session->vectors);
	json_decref(session->embedded);
	session->embedded = NULL;
	omt_model_close(session->model);
	json_decref(session->rooflines);
	session->model = NULL;
	session->rooflines = NULL;
	const omt_status status = omt_trace_close(session->trace, commit, err);
	session->trace = NULL;
	return status;
}

/* Whether items come over time. */
static bool come_over_time(const omt_bench_settings *s)
{
	return s->scenario.mode != OMT_BENCH_OFFLINE && s->scenario.mode != OMT_BENCH_MODELLED;
}

/* An engine to which items come over time sends a batch as soon as a device is free. */
static omt_engine_options engine_options(const omt_bench_session *session,
                                         const omt_bench_settings *s)
{
	omt_engine_options options = s->engine;
	options.eager = come_over_time(s);
	options.progress = session->options->progress;
	options.trace = session->trace;
	return options;
}

/* What is done since then, between the runs that an engine traces by itself. */
static void mark(const omt_bench_session *session, const char *name, double begin_s)
{
	omt_trace_mark(session->trace, name, begin_s, omt_now_s());
}

static bool next_once(void *user, const omt_item **item)
{
	const omt_item **left = user;
	*item = *left;
	*left = NULL;
	return *item;
}

static omt_status take_nothing(void *user, const omt_result *result, omt_error *err)
{
	(void)user;
	return result->failed.status == OMT_OK
	               ? OMT_OK
	               : omt_fail(err, result->failed.status, "%s", result->failed.text);
}

/* One short text, the engine's first: kernels that are built late are built now. */
static omt_status embed_first(omt_bench_session *session, omt_error *err)
{
	const omt_part part = {.kind = OMT_TEXT, .text = "first", .text_bytes = 5};
	const omt_item item = {
		.id = "first", .role = OMT_ROLE_QUERY, .parts = &part, .part_count = 1};
	const omt_item *left = &item;
	return omt_embed(session->engine, &(omt_source){next_once, &left},
	                 &(omt_sink){take_nothing, NULL}, NULL, err);
}

/* The settings that an engine is opened by; given. */
static json_t *opened_by(const omt_bench_point *point)
{
	static const char *const keys[] = {"backend", "device",    "weights",
	                                   "tiles",   "bitstream", "engine"};
	json_t *settings = json_pack("{sb}", "eager", come_over_time(&point->s));
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		json_object_set(settings, keys[i], json_object_get(point->settings, keys[i]));
	return settings;
}

/* What the last point left open is taken where nothing differs; else its engine goes first, so
 * that memory is that of one. The model is one for the file. */
static omt_status open_engine(omt_bench_session *session, const omt_bench_point *point,
                              omt_error *err)
{
	const omt_engine_options options = engine_options(session, &point->s);
	json_t *wanted = opened_by(point);
	session->reused = session->engine && json_equal(wanted, session->opened);
	if (!session->reused) {
		close_engine(session);
		(void)malloc_trim(0);
	}
	(void)omt_host_peak_reset(); /* where it is not allowed the peak is the process's */
	if (session->reused) {
		json_decref(wanted);
		return OMT_OK;
	}
	session->opened = wanted;
	const double start = omt_now_s();
	OMT_TRY(omt_engine_open(session->model, &options, &session->engine, err));
	session->open_s = omt_now_s() - start;
	mark(session, "engine", start);
	const omt_status status = embed_first(session, err);
	session->first_s = omt_now_s() - start;
	if (status != OMT_OK)
		close_engine(session);
	return status;
}

omt_status omt_bench_session_model(omt_bench_session *session, const omt_bench_point *point,
                                   omt_error *err)
{
	const double start = omt_now_s();
	if (session->model)
		return OMT_OK;
	OMT_TRY(omt_model_open_adapted(point->s.model, point->s.adapter, &session->model, err));
	session->model_s = omt_now_s() - start;
	return omt_model_identity(session->model, session->identity, err);
}

/* ---- what the engine tells ----------------------------------------------------------------- */

static json_t *engine_described(const omt_bench_session *session)
{
	char *text = omt_engine_describe(session->engine);
	json_t *engine = json_loads(text ? text : "{}", 0, NULL);
	omt_free(text);
	return engine;
}

static void describe_model(const omt_bench_session *session, json_t *record)
{
	char *model = omt_model_describe(session->model);
	json_object_set_new(record, "model", json_loads(model ? model : "{}", 0, NULL));
	omt_free(model);
}

/* The engine after its work: with what each device did. */
static void describe_engine(const omt_bench_session *session, json_t *record)
{
	json_t *engine = engine_described(session);
	json_t *start = json_deep_copy(json_object_get(engine, "start"));
	json_object_update_new(start, json_pack("{sf sf sf sb}", "model_s", session->model_s,
	                                        "open_s", session->open_s, "first_s",
	                                        session->first_s, "reused", session->reused));
	describe_model(session, record);
	json_object_set_new(record, "start", start);
	json_object_set_new(record, "memory",
	                    json_pack("{sI sO* sO*}", "host_peak_bytes",
	                              (json_int_t)omt_host_peak_bytes(), "device_bytes",
	                              json_object_get(engine, "memory_bytes"), "weights_bytes",
	                              json_object_get(engine, "weights_bytes")));
	json_object_del(engine, "start");
	json_object_del(engine, "ops");
	json_object_set_new(record, "engine", engine);
}

/* ---- measuring ----------------------------------------------------------------------------- */

/* The point's files, gone through as `scenario` says; most: items of a part at most, 0: all. */
static omt_status run_scenario(const omt_bench_session *session, const omt_bench_settings *s,
                               const omt_bench_scenario *scenario, uint64_t most, json_t **parts,
                               omt_bench_vectors vectors[2], omt_error *err)
{
	const omt_bench_file files[2] = {
		{"passages", s->passages, OMT_ROLE_PASSAGE, s->limits},
		{"queries", s->queries, OMT_ROLE_QUERY, s->limits},
	};
	const omt_bench_load load = {.engine = session->engine,
	                             .scenario = scenario,
	                             .files = files,
	                             .file_count = s->queries ? 2 : 1,
	                             .most = most,
	                             .energy = s->energy && !most,
	                             .dimension = omt_model_dimension(session->model),
	                             .trace = session->trace,
	                             .progress = session->options->progress,
	                             .stop = session->options->stop,
	                             .user = session->options->user};
	return omt_bench_scenario_run(&load, parts, vectors, err);
}

/* Everything once, in no figure: for the profile `most` items of a part, for their vectors all. */
static omt_status run_once(const omt_bench_session *session, const omt_bench_settings *s,
                           uint64_t most, omt_bench_vectors vectors[2], omt_error *err)
{
	const omt_bench_scenario once = {
		.mode = OMT_BENCH_OFFLINE, .min_queries = 1, .repetitions = 1, .seed = 1};
	json_t *parts = NULL;
	free_vectors(vectors);
	omt_status status = run_scenario(session, s, &once, most, &parts, vectors, err);
	json_decref(parts);
	return status;
}

/* What the device can do, measured once for the file; borrowed. */
static omt_status find_roofline(omt_bench_session *session, const omt_bench_point *point,
                                const json_t **roofline, omt_error *err)
{
	const omt_roofline_options options = {.backend = point->s.engine.backend,
	                                      .device = point->s.engine.device,
	                                      .progress = session->options->progress};
	char name[600], *text;
	const char *device = point->s.engine.device ? point->s.engine.device : "";
	snprintf(name, sizeof name, "%.90s on %.500s", point->s.engine.backend, device);
	session->rooflines = session->rooflines ? session->rooflines : json_object();
	*roofline = json_object_get(session->rooflines, name);
	if (*roofline)
		return OMT_OK;
	const double start = omt_now_s();
	OMT_TRY(omt_roofline(&options, &text, err));
	mark(session, "roofline", start);
	json_object_set_new_nocheck(session->rooflines, name, json_loads(text, 0, NULL));
	*roofline = json_object_get(session->rooflines, name);
	omt_free(text);
	return *roofline ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "a roofline");
}

/* Every op timed, some full batches of each part; beside what the device can do. */
static omt_status run_profile(omt_bench_session *session, const omt_bench_point *point,
                              json_t *record, omt_error *err)
{
	const omt_bench_settings *s = &point->s;
	omt_bench_vectors vectors[2] = {0};
	const uint64_t most = (uint64_t)s->engine.batch_items * OMT_BENCH_PROFILED;
	const json_t *roofline = NULL;
	if (s->roofline)
		OMT_TRY(find_roofline(session, point, &roofline, err));
	if (roofline)
		json_object_set(record, "roofline", (json_t *)(uintptr_t)roofline);
	if (!s->profile)
		return OMT_OK;
	omt_engine_profile(session->engine, true);
	omt_status status = run_once(session, s, most, vectors, err);
	omt_engine_profile(session->engine, false);
	free_vectors(vectors);
	OMT_TRY(status);
	json_t *engine = engine_described(session), *ops = json_object_get(engine, "ops");
	json_object_set_new(record, "ops",
	                    roofline ? omt_bench_ops(roofline, ops) : json_incref(ops));
	json_decref(engine);
	return OMT_OK;
}

/* The same parts with one slot: nothing is prepared or moved while a device computes. */
static omt_status run_serial(omt_bench_session *session, const omt_bench_settings *s, json_t *parts,
                             omt_error *err)
{
	omt_engine_options options = engine_options(session, s);
	omt_bench_scenario scenario = s->scenario;
	omt_bench_vectors vectors[2] = {0};
	json_t *serial = NULL;
	close_engine(session); /* weights are on the device once */
	options.slots = 1;
	scenario.requests = NULL;
	const double start = omt_now_s();
	OMT_TRY(omt_engine_open(session->model, &options, &session->engine, err));
	mark(session, "engine", start);
	omt_status status = run_scenario(session, s, &scenario, 0, &serial, vectors, err);
	if (status == OMT_OK)
		omt_bench_parts_compare(parts, serial);
	json_decref(serial);
	free_vectors(vectors);
	close_engine(session);
	return status;
}

static omt_status check_point(const omt_bench_session *session, const omt_bench_settings *s,
                              omt_error *err)
{
	char why[80];
	const int32_t dimension = omt_model_dimension(session->model);
	if (s->dimension <= dimension)
		return OMT_OK;
	snprintf(why, sizeof why, "is %d, the model's vectors have %d values", s->dimension,
	         dimension);
	return omt_bench_point_refuse(session->grid, "dimension", why, err);
}

/* What vectors depend on; given. */
static json_t *embedded_by(const omt_bench_point *point)
{
	json_t *settings = opened_by(point);
	json_object_set(settings, "limits", json_object_get(point->settings, "limits"));
	json_object_set(settings, "fusion", json_object_get(point->settings, "fusion"));
	return settings;
}

/* Vectors of all items, kept for the points that would have the same ones. */
static omt_status embed_all(omt_bench_session *session, const omt_bench_point *point,
                            json_t *record, omt_error *err)
{
	json_t *wanted = embedded_by(point);
	const bool there = session->vectors[0].data && json_equal(wanted, session->embedded);
	omt_status status = OMT_OK;
	if (there) {
		json_decref(wanted);
	} else {
		free_vectors(session->vectors);
		json_decref(session->embedded);
		session->embedded = wanted;
		OMT_TRY(open_engine(session, point, err));
		status = run_once(session, &point->s, 0, session->vectors, err);
		if (status != OMT_OK)
			free_vectors(session->vectors);
	}
	describe_engine(session, record);
	return status;
}

/* Nothing is timed: the card by its model, quality by the kernels' arithmetic. */
static omt_status measure_modelled(omt_bench_session *session, const omt_bench_point *point,
                                   json_t *record, omt_error *err)
{
	const omt_bench_settings *s = &point->s;
	json_t *parts, *card, *measures;
	OMT_TRY(omt_bench_modelled(session->model, s, session->options, &parts, &card, err));
	json_object_set_new(record, "parts", parts);
	json_object_set_new(record, "card", card);
	describe_model(session, record);
	if (!s->qrels)
		return OMT_OK;
	OMT_TRY(embed_all(session, point, record, err));
	OMT_TRY(omt_bench_retrieval(s, &session->vectors[0], &session->vectors[1],
	                            &session->options->progress, &measures, err));
	json_object_set_new(record, "retrieval", measures);
	return OMT_OK;
}

omt_status omt_bench_session_measure(omt_bench_session *session, const omt_bench_point *point,
                                     json_t *record, omt_error *err)
{
	const omt_bench_settings *s = &point->s;
	omt_bench_vectors vectors[2] = {0};
	const bool retrieval = s->qrels && !omt_bench_is_modelled(s);
	const char *trace = session->options->trace ? session->options->trace : s->trace;
	json_t *parts = NULL, *measures = NULL;
	omt_status status;
	OMT_GOTO(omt_bench_session_model(session, point, err));
	OMT_GOTO(check_point(session, s, err));
	if (s->scenario.mode == OMT_BENCH_MODELLED)
		return measure_modelled(session, point, record, err);
	if (trace && !session->trace)
		OMT_GOTO(omt_trace_open(trace, &session->trace, err));
	OMT_GOTO(open_engine(session, point, err));
	OMT_GOTO(run_scenario(session, s, &s->scenario, 0, &parts, vectors, err));
	json_object_set(record, "parts", parts);
	describe_engine(session, record);
	OMT_GOTO(run_profile(session, point, record, err));
	if (retrieval && !vectors[0].data)
		OMT_GOTO(run_once(session, s, 0, vectors, err));
	if (s->scenario.overlap)
		OMT_GOTO(run_serial(session, s, parts, err));
	if (retrieval) {
		const double start = omt_now_s();
		OMT_GOTO(omt_bench_retrieval(s, &vectors[0], &vectors[1],
		                             &session->options->progress, &measures, err));
		mark(session, "retrieval", start);
		json_object_set(record, "retrieval", measures);
	}
done:
	json_decref(parts);
	json_decref(measures);
	free_vectors(vectors);
	return status;
}
