/* metrics.h - retrieval measures as trec_eval computes them (goldens/DETAILS.md "Metrics").
 *
 * Order: score descending, ties by document id descending. nDCG: gain = grade, discount
 * log2(rank + 1), ideal from all judged documents. Recall@k divides by the number of relevant
 * documents (grade > 0), P@k by k. MRR@k: 1 / rank of the first relevant one, 0 beyond k. */
#ifndef OMT_INDEX_METRICS_H
#define OMT_INDEX_METRICS_H

#include "base/status.h"

typedef struct omt_qrels omt_qrels; /* judgements: query, document, grade */
typedef struct omt_run omt_run;     /* answers: query, document, score */

/* TREC qrels ("query 0 document grade", or BEIR's tab-separated with a header line) and runs
 * ("query Q0 document rank score tag"). */
omt_status omt_qrels_load(const char *path, omt_qrels **qrels, omt_error *err);
void omt_qrels_free(omt_qrels *qrels);
omt_status omt_run_load(const char *path, omt_run **run, omt_error *err);
omt_status omt_run_new(omt_run **run, omt_error *err);
omt_status omt_run_add(omt_run *run, const char *query, const char *document, double score,
                       omt_error *err);
void omt_run_free(omt_run *run);

#define OMT_METRIC_CUTS 8

typedef struct omt_metrics {
	size_t queries;  /* averaged over: judged queries */
	size_t answered; /* of them in the run */
	double ndcg[OMT_METRIC_CUTS], recall[OMT_METRIC_CUTS], precision[OMT_METRIC_CUTS];
	double mrr[OMT_METRIC_CUTS], map;
} omt_metrics;

/* cuts[cut_count]: the ks. all_judged: judged queries that are absent from the run count as 0,
 * otherwise only queries in both are averaged. */
omt_status omt_metrics_compute(const omt_qrels *qrels, omt_run *run, const int32_t *cuts,
                               size_t cut_count, bool all_judged, omt_metrics *metrics,
                               omt_error *err);

/* What a random order of `documents` documents would give on average, by the same measures. */
omt_status omt_metrics_chance(const omt_qrels *qrels, size_t documents, const int32_t *cuts,
                              size_t cut_count, omt_metrics *metrics, omt_error *err);

#endif
