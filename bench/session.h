/* session.h - model and engine of a benchmark, open from one point to the next, and one point
 * measured with them. */
#ifndef OMT_BENCH_SESSION_H
#define OMT_BENCH_SESSION_H

#include "bench/settings.h"

typedef struct omt_bench_session {
	const omt_bench_options *options; /* borrowed */
	const omt_bench_grid *grid;       /* borrowed */
	omt_model *model;                 /* one for the file */
	char identity[OMT_IDENTITY_TEXT];
	omt_engine *engine;
	json_t *opened; /* settings that the engine was opened with; NULL: none is open */
	omt_trace *trace;
	json_t *rooflines;               /* "BACKEND on DEVICE": omt_roofline()'s object */
	double model_s, open_s, first_s; /* checkpoint, engine, its first vector */
	bool reused;                     /* the engine, from the point before */
	omt_bench_vectors vectors[2];    /* mode modelled: of passages and queries, */
	json_t *embedded;                /* by these settings; NULL: none */
} omt_bench_session;

/* Opens the model, if it is not open: then session->identity tells which it is. */
omt_status omt_bench_session_model(omt_bench_session *session, const omt_bench_point *point,
                                   omt_error *err);
/* Opens the engine the point asks for (what is open already stays when nothing differs), measures,
 * and puts into `record` all that was found: model, engine, start, memory, parts, ops, retrieval.
 */
omt_status omt_bench_session_measure(omt_bench_session *session, const omt_bench_point *point,
                                     json_t *record, omt_error *err);
/* The trace of a file, if there is one, appears when `commit`. */
omt_status omt_bench_session_close(omt_bench_session *session, bool commit, omt_error *err);

#endif
