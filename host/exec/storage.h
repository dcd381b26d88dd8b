/* storage.h - reading elements of weights and tables in their storage format. */
#ifndef OMT_EXEC_STORAGE_H
#define OMT_EXEC_STORAGE_H

#include "base/number.h"
#include "device/contract.h"

static inline size_t omt_dtype_bytes(int32_t dtype)
{
	return dtype == OMT_F32 ? 4 : dtype == OMT_I8 || dtype == OMT_I8X4 ? 1 : 2;
}

/* Where element (row, i) of packed weights of k columns lies, in elements; panel > 1. */
static inline size_t omt_packed_at(int32_t row, int32_t i, int32_t k, int32_t panel, int32_t dtype)
{
	const int32_t group = OMT_WORD_GROUP(dtype), in = row % panel;
	const size_t depth = (size_t)((k + group - 1) / group * group), rows = (size_t)panel;
	const int32_t place =
		group > 1 ? in * group + i % group : OMT_PANEL_PLACE(in, panel, dtype);
	return (size_t)(row / panel) * depth * rows + (size_t)(i / group * group) * rows +
	       (size_t)place;
}

/* Element i of an array of `dtype`. */
static inline float omt_dtype_load(const uint8_t *array, int32_t dtype, size_t i)
{
	switch (dtype) {
	case OMT_F32:
		return ((const float *)(const void *)array)[i];
	case OMT_BF16:
		return omt_f32_from_bf16(((const uint16_t *)(const void *)array)[i]);
	case OMT_F16:
		return omt_f32_from_f16(((const uint16_t *)(const void *)array)[i]);
	default:
		return (float)((const int8_t *)array)[i];
	}
}

#endif
