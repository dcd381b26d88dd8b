/* number.h - storage formats of numbers and arithmetic that must not overflow. */
#ifndef OMT_BASE_NUMBER_H
#define OMT_BASE_NUMBER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline float omt_f32_from_bits(uint32_t bits)
{
	float value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline uint32_t omt_bits_from_f32(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, sizeof bits);
	return bits;
}

/* bfloat16: the upper half of an f32. */
static inline float omt_f32_from_bf16(uint16_t bits)
{
	return omt_f32_from_bits((uint32_t)bits << 16);
}

/* Rounds to nearest, ties to even; NaN stays NaN. */
static inline uint16_t omt_bf16_from_f32(float value)
{
	uint32_t bits = omt_bits_from_f32(value);
	if ((bits & 0x7fffffffu) > 0x7f800000u)
		return (uint16_t)(bits >> 16 | 0x40u);
	return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

/* IEEE 754 binary16, subnormals included. */
static inline float omt_f32_from_f16(uint16_t half)
{
	uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u;
	uint32_t fraction = half & 0x3ffu;
	if (exponent == 31)
		return omt_f32_from_bits(sign | 0x7f800000u | fraction << 13);
	if (exponent)
		return omt_f32_from_bits(sign | (exponent + 112u) << 23 | fraction << 13);
	float value = ldexpf((float)fraction, -24);
	return sign ? -value : value;
}

/* False when a * b does not fit. */
static inline bool omt_mul_size(size_t a, size_t b, size_t *product)
{
	if (b && a > SIZE_MAX / b)
		return false;
	*product = a * b;
	return true;
}

#endif
