/* trec.h - judgements (qrels) and answers (runs): tables of query, document and a number.
 *
 * Files, told by their content:
 *   qrels  "query 0 document grade" a line (TREC), or three columns; a first line of three columns
 *          that ends in "score" (BEIR's query-id, corpus-id, score) makes tabs the only separators
 *   run    "query Q0 document rank score tag" a line (TREC; rank and tag are not used), or one JSON
 *          object {query: {document: score}} (BEIR)
 * Empty lines are left out. A line that is none of these, a document given twice for a query, an id
 * that is not UTF-8, and a score that is no finite number are OMT_BAD_FORMAT with file and line.
 * A line of a run costs 45 to 75 bytes of memory, an id its length and 20 to 40; TREC files are
 * read line by line. */
#ifndef OMT_INDEX_TREC_H
#define OMT_INDEX_TREC_H

#include "base/names.h"
#include "base/status.h"

/* Rows keep the order in which they came. */
typedef struct omt_table {
	omt_names queries, documents;
	omt_names rows; /* {query, document} as two uint32_t */
	double *values; /* of each row */
	size_t capacity;
} omt_table;

typedef struct omt_row {
	uint32_t query, document;
	double value;
} omt_row;

typedef struct omt_qrels {
	omt_table table; /* values are grades, whole numbers */
} omt_qrels;

typedef struct omt_run {
	omt_table table; /* values are scores */
} omt_run;

omt_status omt_qrels_load(const char *path, omt_qrels **qrels, omt_error *err);
void omt_qrels_free(omt_qrels *qrels);
omt_status omt_run_load(const char *path, omt_run **run, omt_error *err);
omt_status omt_run_new(omt_run **run, omt_error *err);
omt_status omt_run_add(omt_run *run, const char *query, const char *document, double score,
                       omt_error *err);
void omt_run_free(omt_run *run);

omt_row omt_table_row(const omt_table *table, size_t row);
/* Rows by query, in each the order in which they came: those of query q are
 * order[starts[q]] .. order[starts[q + 1] - 1]. Both given, free(). */
omt_status omt_table_group(const omt_table *table, uint32_t **order, uint32_t **starts,
                           omt_error *err);

#endif
