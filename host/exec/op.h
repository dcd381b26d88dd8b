/* op.h - the ops as the host sees them: numbers, argument structs and their description, all made
 * from device/contract.h. */
#ifndef OMT_EXEC_OP_H
#define OMT_EXEC_OP_H

#include <stddef.h>
#include <stdint.h>

#include "device/contract.h"

/* A tensor's memory; belongs to the backend that allocated it (exec/backend.h). */
typedef struct omt_buffer omt_buffer;

typedef enum omt_op {
#define OMT_OP_ENUM(LIST, name) OMT_OP_##name,
	OMT_OP_LIST(OMT_OP_ENUM)
#undef OMT_OP_ENUM
		OMT_OP_COUNT
} omt_op;

/* struct omt_gemm_args { omt_buffer *a, *w, ...; int32_t m, n, ...; } and so on: pointers first,
 * then 4-byte scalars without a gap, so that a loop over omt_op_info can walk any of them. */
typedef int32_t omt_scalar_i32;
typedef float omt_scalar_f32;
typedef uint8_t omt_scalar_u8; /* of buffers alone */
#define OMT_FIELD_BUFFER(access, type, name) omt_buffer *name;
#define OMT_FIELD_SCALAR(type, name)         omt_scalar_##type name;
#define OMT_ARGS_STRUCT(LIST, op)                                     \
	typedef struct omt_##op##_args {                              \
		LIST(OMT_FIELD_BUFFER, OMT_FIELD_SCALAR, OMT_NOTHING) \
	} omt_##op##_args;
OMT_OP_LIST(OMT_ARGS_STRUCT)
#undef OMT_ARGS_STRUCT

#define OMT_OP_MAX_BUFFERS 8
#define OMT_OP_MAX_SCALARS 12

typedef enum omt_access { OMT_ACCESS_IN, OMT_ACCESS_OUT, OMT_ACCESS_INOUT } omt_access;
typedef enum omt_element { OMT_ELEMENT_f32, OMT_ELEMENT_i32, OMT_ELEMENT_u8 } omt_element;

typedef struct omt_op_info {
	const char *name;
	int32_t buffers, scalars;
	int32_t ports; /* to memory, of a kernel of hls/: bundles of its buffers, from 0 on */
	struct {
		omt_access access;
		omt_element element;
		const char *name;
		int32_t bundle; /* HLS_BUNDLE_* of hls/portable.h */
	} buffer[OMT_OP_MAX_BUFFERS];
	struct {
		omt_element element; /* f32 or i32 */
		const char *name;
	} scalar[OMT_OP_MAX_SCALARS];
} omt_op_info;

extern const omt_op_info omt_op_infos[OMT_OP_COUNT];

/* Room for any op's arguments: buffers, then scalars, as its struct has them. */
typedef union omt_op_any_args {
	omt_buffer *buffers[OMT_OP_MAX_BUFFERS];
	uint8_t bytes[OMT_OP_MAX_BUFFERS * sizeof(omt_buffer *) + 4 * OMT_OP_MAX_SCALARS];
} omt_op_any_args;
static inline size_t omt_op_args_bytes(omt_op op)
{
	return (size_t)omt_op_infos[op].buffers * sizeof(omt_buffer *) +
	       (size_t)omt_op_infos[op].scalars * 4;
}

/* The i-th buffer and the scalars of an argument struct. */
static inline omt_buffer **omt_op_buffers(void *args)
{
	return (omt_buffer **)args;
}
static inline const void *omt_op_scalars(omt_op op, const void *args)
{
	return (const omt_buffer *const *)args + omt_op_infos[op].buffers;
}

/* Work of one launch: multiply-adds count two, bytes are those that must move at least once. */
typedef struct omt_op_cost {
	double flops, bytes;
} omt_op_cost;
omt_op_cost omt_op_cost_of(omt_op op, const void *args);

/* Bytes of its i-th buffer, from the start, beyond which an op touches nothing; SIZE_MAX where its
 * scalars do not tell. Buffers are made for the largest batch, an op mostly uses a part of them. */
size_t omt_op_extent(omt_op op, const void *args, int32_t i);

#endif
