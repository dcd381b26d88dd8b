/* mining.h - which passages are hard negatives of a query: the rules of NV-Retriever (Moreira et
 * al. 2024, arXiv 2407.15831, section 4.1, "positive-aware hard-negative mining").
 *
 * Candidates are all passages but the query's positives, greatest score first, equal scores by row.
 * With p the reference among the scores of the positives and s a candidate's, kept are the first k
 * of those that
 *   topk           are there
 *   topk_shifted   come after the first `skip`
 *   topk_abs       have s <= value
 *   topk_marginpos have s <= p - value
 *   topk_percpos   have s <= p * value
 * Limits are computed and compared in f64, scores being f32. Of a p below 0 topk_percpos's limit
 * lies above it. A passage that scores as the positive does (its copy, say) is kept by
 * topk_marginpos of value 0 and not by a greater one. */
#ifndef OMT_INDEX_MINING_H
#define OMT_INDEX_MINING_H

#include "index/nearest.h"

/* X(name, text, value where none is given): the paper's best ones. */
#define OMT_MINING_LIST(X)                        \
	X(TOPK, "topk", 0)                        \
	X(TOPK_SHIFTED, "topk_shifted", 0)        \
	X(TOPK_ABS, "topk_abs", 0.7)              \
	X(TOPK_MARGINPOS, "topk_marginpos", 0.05) \
	X(TOPK_PERCPOS, "topk_percpos", 0.95)
#define OMT_MINING_ENUM(name, text, value) OMT_MINING_##name,
typedef enum omt_mining_method {
	OMT_MINING_LIST(OMT_MINING_ENUM) OMT_MINING_COUNT
} omt_mining_method;
#undef OMT_MINING_ENUM

#define OMT_MINING_SKIP 10 /* of topk_shifted where none is given */

typedef struct omt_mining_rule {
	omt_mining_method method;
	double value;
	size_t skip;         /* 0 but of topk_shifted */
	bool first_positive; /* p is the score of the positive of the lowest row, not the lowest one
	                      */
} omt_mining_rule;

/* method NULL: topk_percpos. value NAN, skip -1: the method's; one that the method has no use for
 * is OMT_BAD_ARGUMENT. */
omt_status omt_mining_rule_make(const char *method, double value, int64_t skip, bool first_positive,
                                omt_mining_rule *rule, omt_error *err);
const char *omt_mining_name(omt_mining_method method);

/* What a candidate's score may be at most, from the scores of the positives by ascending row,
 * count > 0; INFINITY: anything. */
double omt_mining_limit(const omt_mining_rule *rule, const float *positives, size_t count);

/* One query under a rule. */
typedef struct omt_mining_query {
	double limit;
	size_t skip;
	const int64_t *excluded; /* rows that are no candidates, ascending */
	size_t excluded_count;
} omt_mining_query;

bool omt_mining_excludes(const omt_mining_query *query, int64_t row);
/* The first `wanted` survivors among ranked[count], which is best first, into kept; how many. */
size_t omt_mining_pick(const omt_mining_query *query, const omt_neighbor *ranked, size_t count,
                       size_t wanted, omt_neighbor *kept);

#endif
