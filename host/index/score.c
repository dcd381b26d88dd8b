#include "index/score.h"

#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "base/number.h"

/* Lane j takes elements j, j + LANES, ...; the lanes are added by halves. A product of two f32 is
 * exact in f64, fused or not, so that every CPU adds the same numbers in the same order. */
#define LANES 32

typedef float omt_f32_lanes __attribute__((vector_size(8 * sizeof(float))));
typedef double omt_f64_lanes __attribute__((vector_size(8 * sizeof(double))));
typedef uint16_t omt_u16_lanes __attribute__((vector_size(8 * sizeof(uint16_t))));
typedef uint32_t omt_u32_lanes __attribute__((vector_size(8 * sizeof(uint32_t))));

/* Eight values as f64, wherever they lie. */
#define TAKE_f32(from, lanes)                                          \
	do {                                                           \
		omt_f32_lanes taken;                                   \
		memcpy(&taken, (from), sizeof taken);                  \
		lanes = __builtin_convertvector(taken, omt_f64_lanes); \
	} while (0)
#define TAKE_bf16(from, lanes)                                               \
	do {                                                                 \
		omt_u16_lanes halves;                                        \
		omt_u32_lanes bits;                                          \
		omt_f32_lanes taken;                                         \
		memcpy(&halves, (from), sizeof halves);                      \
		bits = __builtin_convertvector(halves, omt_u32_lanes) << 16; \
		memcpy(&taken, &bits, sizeof taken);                         \
		lanes = __builtin_convertvector(taken, omt_f64_lanes);       \
	} while (0)
#define LOAD_f32(from)  (from)
#define LOAD_bf16(from) omt_f32_from_bf16(from)

/* sum = a b over `dimension` values. */
#define DOT(name, a_kind, a_type, b_kind, b_type)                                                  \
	OMT_HOT void name##_body(const a_type *a, const b_type *b, int32_t dimension, double *sum) \
	{                                                                                          \
		omt_f64_lanes x, y, sums[LANES / 8] = {{0}};                                       \
		double lanes[LANES];                                                               \
		int32_t i = 0;                                                                     \
		for (; i + LANES <= dimension; i += LANES)                                         \
			for (int32_t j = 0; j < LANES / 8; j++) {                                  \
				TAKE_##a_kind(a + i + 8 * j, x);                                   \
				TAKE_##b_kind(b + i + 8 * j, y);                                   \
				sums[j] += x * y;                                                  \
			}                                                                          \
		memcpy(lanes, sums, sizeof lanes);                                                 \
		for (int32_t j = 0; i < dimension; i++, j++)                                       \
			lanes[j] += (double)LOAD_##a_kind(a[i]) * (double)LOAD_##b_kind(b[i]);     \
		for (int32_t half = LANES / 2; half; half /= 2)                                    \
			for (int32_t j = 0; j < half; j++)                                         \
				lanes[j] += lanes[j + half];                                       \
		*sum = lanes[0];                                                                   \
	}                                                                                          \
	OMT_PATHS(name, (const a_type *a, const b_type *b, int32_t dimension, double *sum),        \
	          (a, b, dimension, sum))
DOT(dot_f32, f32, float, f32, float)
DOT(dot_bf16, f32, float, bf16, uint16_t)
DOT(square_bf16, bf16, uint16_t, bf16, uint16_t)

float omt_score(const float *query, const void *row, int32_t dtype, int32_t dimension)
{
	double sum;
	if (dtype == OMT_F32)
		dot_f32(query, row, dimension, &sum);
	else
		dot_bf16(query, row, dimension, &sum);
	return (float)sum;
}

double omt_norm(const void *row, int32_t dtype, int32_t dimension)
{
	double sum;
	if (dtype == OMT_F32)
		dot_f32(row, row, dimension, &sum);
	else
		square_bf16(row, row, dimension, &sum);
	return sqrt(sum);
}

OMT_HOT void square_rest_body(const float *values, int32_t dimension, double *sum)
{
	double lanes[LANES] = {0};
	*sum = 0;
	for (int32_t i = 0; i < dimension; i++) {
		const float rest = values[i] - omt_f32_from_bf16(omt_bf16_from_f32(values[i]));
		lanes[i % LANES] += (double)rest * (double)rest;
	}
	for (int32_t j = 0; j < LANES; j++)
		*sum += lanes[j];
}
OMT_PATHS(square_rest, (const float *values, int32_t dimension, double *sum),
          (values, dimension, sum))

double omt_bf16_rest(const float *values, int32_t dimension)
{
	double sum;
	square_rest(values, dimension, &sum);
	return sqrt(sum);
}

OMT_HOT void mark_body(const float *scores, const float *floors, size_t groups, uint8_t *marks)
{
	for (size_t g = 0; g < groups; g++) {
		int any = 0;
		for (size_t j = g * OMT_SCORE_GROUP; j < (g + 1) * OMT_SCORE_GROUP; j++)
			any |= scores[j] >= floors[j];
		marks[g] = (uint8_t)any;
	}
}
OMT_PATHS(mark, (const float *scores, const float *floors, size_t groups, uint8_t *marks),
          (scores, floors, groups, marks))

void omt_scores_mark(const float *scores, const float *floors, size_t groups, uint8_t *marks)
{
	mark(scores, floors, groups, marks);
}
