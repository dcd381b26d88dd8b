/* results.h - a file of records, a line of JSON each (bench/README.md), that runs append to.
 *
 * A record is appended in one write and synced, so that a killed run leaves whole lines and at most
 * a torn last one. Who opens the file next cuts that off; a line that is whole but for its end is
 * kept. One run at a time writes a file. */
#ifndef OMT_BENCH_RESULTS_H
#define OMT_BENCH_RESULTS_H

#include "base/json.h"

#define OMT_BENCH_RECORD 2 /* layout of a record */

typedef struct omt_bench_results {
	const char *path; /* borrowed */
	int fd;           /* -1: no file */
	int64_t bytes;    /* of whole lines */
	json_t *keys;     /* "key" of each record in it */
} omt_bench_results;

/* path NULL: records are kept nowhere. A torn last line is cut off, which `progress` notes. Not to
 * write: what is there is read, nothing is touched. */
omt_status omt_bench_results_open(const char *path, bool to_write, const omt_progress *progress,
                                  omt_bench_results *results, omt_error *err);
bool omt_bench_results_have(const omt_bench_results *results, const char *key);
/* A record that cannot be written whole leaves the file as it was. */
omt_status omt_bench_results_append(omt_bench_results *results, const json_t *record,
                                    omt_error *err);
void omt_bench_results_close(omt_bench_results *results);

/* Records of a file, an array; lines that are none are errors. Of points with the same key the
 * last record counts. Given, json_decref(). */
omt_status omt_bench_records_load(const char *path, json_t **records, omt_error *err);

#endif
