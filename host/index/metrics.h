/* metrics.h - retrieval measures by named conventions.
 *
 * A query with R relevant documents (grade > 0), answers at ranks 1, 2, ...; rel(i) is 1 when the
 * answer at rank i is relevant. At a cut-off k:
 *   ndcg       sum of grade(i) / log2(i + 1) over i <= k, over the same sum of the best order of
 *              all judged documents (linear gain; Jaervelin and Kekaelaeinen 2002)
 *   map        sum of precision at i * rel(i) over i <= k, divided by R
 *   recall     relevant ones among the first k, divided by R
 *   precision  relevant ones among the first k, divided by k
 *   mrr        1 / rank of the first relevant one, 0 beyond k
 *   hit        1 when one of the first k is relevant (trec_eval's success)
 * Documents that are not judged, and grades below 1, are not relevant and gain nothing. Queries
 * without judgements do not count.
 *
 * Conventions, each with its source:
 *
 *   trec_eval  cut-offs 1, 5, 10, and map, mrr and ndcg over the whole ranking (cut "").
 *     Order: score descending, ties by document id descending (bytes); scores are compared as
 *     float32, as pytrec_eval-terrier 0.5.11 does (0.1 and 0.1 + 1e-12 tie; the form_res_rels.c
 *     that NIST has now compares doubles). Judged queries that are absent from the run count as 0
 *     (trec_eval -c; without -c it averages over queries in both: absent = OMT_ABSENT_SKIP).
 *     Queries without a relevant document count as 0.
 *
 *   mteb       cut-offs 1, 3, 5, 10, 20, 100, 1000 (AbsTaskRetrieval.k_values, mteb 2.26).
 *     Measures are pytrec_eval's, so as above, but means are over the queries in both
 *     (parse_metrics_from_scores: len(scores)) and rounded to five decimals, except MRR's mean.
 *     MRR is mteb's own (retrieval_metrics.py: mrr): scores are compared as double, ties by id
 *     descending. recall@1 is what mteb calls accuracy. Answers with the query's own id are
 *     dropped only when asked for (ignore_identical_ids is false by default there, true in BEIR's
 *     EvaluateRetrieval.evaluate). Capped recall and hole rate are not part of mteb's scores.
 *     Its skip_first_result (off by default) and nAUC are not here.
 *     main_score is a task's own, ndcg@10 for most.
 *
 *   mmeb       cut-offs 1, 5, 10 (TIGER-AI-Lab/VLM2Vec, src/utils/eval_utils/metrics.py:
 *     RankingMetrics); main scores are hit@1, for visual documents ndcg@5 with linear gain
 *     (experiments/report_score_v2.py).
 *     Order: argsort of the negated scores; ties keep the order of candidates, here that of the
 *     run's lines. Only grades > 0 are labels (load_qrels_mapping), so queries without a relevant
 *     document are left out. map@k divides by min(R, k). Absent queries count as 0: there every
 *     query of a data set is a case. (The published code pairs labels with grades after a set();
 *     here grades stay with their documents.)
 */
#ifndef OMT_INDEX_METRICS_H
#define OMT_INDEX_METRICS_H

#include "base/json.h"
#include "index/trec.h"

#define OMT_METRIC_CUTS   16
#define OMT_RESAMPLES_MAX 1000000

/* One list makes the enum and the names. */
#define OMT_MEASURE_LIST(X)       \
	X(NDCG, "ndcg")           \
	X(MAP, "map")             \
	X(RECALL, "recall")       \
	X(PRECISION, "precision") \
	X(MRR, "mrr")             \
	X(HIT, "hit")

#define OMT_MEASURE_ENUM(name, text) OMT_##name,
typedef enum omt_measure { OMT_MEASURE_LIST(OMT_MEASURE_ENUM) OMT_MEASURE_COUNT } omt_measure;
#undef OMT_MEASURE_ENUM

typedef enum omt_absent { OMT_ABSENT_BY_CONVENTION, OMT_ABSENT_ZERO, OMT_ABSENT_SKIP } omt_absent;

/* What is measured; {0} is trec_eval's convention with its cut-offs. */
typedef struct omt_scoring {
	const char *convention; /* "trec_eval" (NULL), "mteb", "mmeb"; borrowed */
	int32_t cuts[OMT_METRIC_CUTS];
	size_t cut_count;      /* 0: the convention's own */
	omt_absent absent;     /* judged queries that are not in the run */
	bool ignore_identical; /* answers with the query's own id are dropped */
	int32_t resamples;     /* of the queries, for 95 % intervals; 0: none */
	uint64_t seed;
} omt_scoring;

/* Measures of each query and their means: a column is a measure at a cut-off (0: the whole
 * ranking, key ""). */
typedef struct omt_column {
	omt_measure measure;
	int32_t cut;
} omt_column;

#define OMT_METRIC_COLUMNS (OMT_MEASURE_COUNT * (OMT_METRIC_CUTS + 1))

typedef struct omt_scores {
	const char *convention; /* static */
	omt_column columns[OMT_METRIC_COLUMNS];
	size_t column_count;
	size_t judged;                   /* queries of the judgements */
	size_t queries;                  /* of them averaged over */
	size_t answered;                 /* of these in the run */
	omt_names names;                 /* [queries] ids; empty for chance */
	double *values;                  /* [queries, column_count]; NULL for chance */
	double mean[OMT_METRIC_COLUMNS]; /* rounded as the convention does */
	double low[OMT_METRIC_COLUMNS], high[OMT_METRIC_COLUMNS]; /* 95 %; set when resampled */
	int32_t resamples;
	uint64_t seed;
} omt_scores;

/* OMT_BAD_ARGUMENT names what is wrong with the settings. */
omt_status omt_scoring_check(const omt_scoring *scoring, omt_error *err);

/* `scores` is given: omt_scores_free(). No query to average over leaves all means 0. */
omt_status omt_scores_compute(const omt_qrels *qrels, const omt_run *run,
                              const omt_scoring *scoring, omt_scores *scores, omt_error *err);
void omt_scores_free(omt_scores *scores); /* zero-initialised is allowed */
/* The column's number, or SIZE_MAX. */
size_t omt_scores_column(const omt_scores *scores, omt_measure measure, int32_t cut);

/* What is searched: fewer queries may be asked, fewer documents be there than were judged. */
typedef struct omt_collection {
	size_t count;               /* of documents */
	const omt_names *documents; /* their ids; NULL: all that were judged are among them */
	const omt_names *queries;   /* that are asked; NULL: all that were judged */
} omt_collection;

/* What a random order of the collection would give on average, by the same measures: columns and
 * means. Queries count as in omt_scores_compute(). */
omt_status omt_scores_chance(const omt_qrels *qrels, const omt_collection *of,
                             const omt_scoring *scoring, omt_scores *scores, omt_error *err);

/* JSON, given; NULL: no memory.
 * measured   {"ndcg": {"10": {"value", "low", "high"}}, "map": {"": {...}}}, low and high only when
 *            resampled: the "measured" of a benchmark's record
 * means      {"ndcg": {"10": 0.01}}: its "chance"
 * per_query  {"query": ["q1", ...], "ndcg": {"10": [0.5, ...]}}: what pairs two runs */
json_t *omt_scores_measured(const omt_scores *scores);
json_t *omt_scores_means(const omt_scores *scores);
json_t *omt_scores_per_query(const omt_scores *scores);

#endif
