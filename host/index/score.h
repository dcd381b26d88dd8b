/* score.h - the score of a vector for a query as index/nearest.h defines it, and lengths. */
#ifndef OMT_INDEX_SCORE_H
#define OMT_INDEX_SCORE_H

#include "base/status.h"
#include "device/contract.h"

/* `row`: `dimension` values of `dtype`, OMT_F32 or OMT_BF16. */
float omt_score(const float *query, const void *row, int32_t dtype, int32_t dimension);

/* Euclidean length; NaN or infinite where a value is. */
double omt_norm(const void *row, int32_t dtype, int32_t dimension);

/* Length of the difference between `dimension` values and what bf16 keeps of them. */
double omt_bf16_rest(const float *values, int32_t dimension);

/* marks[g] = whether one of scores[16 g .. 16 g + 15] is at least its floor. NaN never is. */
#define OMT_SCORE_GROUP 16
void omt_scores_mark(const float *scores, const float *floors, size_t groups, uint8_t *marks);

#endif
