/* ref_norm.h - what the norms and the ops that make int8 share, in plain C. */
#ifndef OMT_EXEC_REF_NORM_H
#define OMT_EXEC_REF_NORM_H

#include <math.h>
#include <stdint.h>

static inline float ref_mean(const float *x, int32_t cols)
{
	float sum = 0;
	for (int32_t i = 0; i < cols; i++)
		sum += x[i];
	return sum / (float)cols;
}

/* 1 / sqrt(mean((x - mean)^2) + eps); RMSNorm: mean 0. */
static inline float ref_inverse(const float *x, float mean, int32_t cols, float eps)
{
	float squares = 0;
	for (int32_t i = 0; i < cols; i++)
		squares += (x[i] - mean) * (x[i] - mean);
	return 1.0f / sqrtf(squares / (float)cols + eps);
}

/* The factor that takes values of at most `most` to int8, and a value times it. */
static inline float ref_i8_factor(float most)
{
	return most > 0 ? 127.0f / most : 0;
}
static inline uint8_t ref_i8(float x, float factor)
{
	return (uint8_t)(int8_t)rintf(x * factor);
}

#endif
