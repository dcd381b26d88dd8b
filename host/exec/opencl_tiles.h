/* opencl_tiles.h - how the OpenCL kernels cut their work: tiles for each class of shapes.
 *
 * A class is an op and a range of one of its sizes. Each class has its own tiles; classes whose
 * tiles are the same share a program. An item's vector has the same bits alone or in any batch: a
 * class may depend on the rows of a batch (m) only where tiles do not change the order of additions
 * (gemm, gemm_i8, gemm_bf16); attention's classes depend on the head size, which is the model's.
 *
 * Where tiles come from: device_entry.h. */
#ifndef OMT_EXEC_OPENCL_TILES_H
#define OMT_EXEC_OPENCL_TILES_H

#include <stddef.h>

#include "base/status.h"
#include "exec/op.h"

#define OMT_CL_LANES    16  /* TILE_N */
#define OMT_CL_PANEL    32  /* TILE_PANEL */
#define OMT_CL_HEAD_DIM 128 /* ATTENTION_DIM: head_dim at most */
#define OMT_CL_GROUP    64  /* work-items of a group, for ops that work element by element */
#define OMT_CL_FEW      4   /* GEMM_FEW */

/* X(name, op, size, most): a launch is in the first class of its op whose `most` is no less than
 * its size. few: memory bounds it; short: one block of rows, or two. */
#define OMT_CL_CLASS_LIST(X)                     \
	X(gemm_few, gemm, m, OMT_CL_FEW)         \
	X(gemm_short, gemm, m, 64)               \
	X(gemm, gemm, m, INT32_MAX)              \
	X(gemm_i8_short, gemm_i8, m, 64)         \
	X(gemm_i8, gemm_i8, m, INT32_MAX)        \
	X(gemm_bf16_short, gemm_bf16, m, 64)     \
	X(gemm_bf16, gemm_bf16, m, INT32_MAX)    \
	X(attention_64, attention, head_dim, 64) \
	X(attention_80, attention, head_dim, 80) \
	X(attention_128, attention, head_dim, INT32_MAX)

/* Kernels that a parameter is for. */
#define OMT_CL_FOR_ATTENTION (1u << OMT_OP_attention)
#define OMT_CL_FOR_GEMMS     (1u << OMT_OP_gemm | 1u << OMT_OP_gemm_i8 | 1u << OMT_OP_gemm_bf16)

/* X(name, macro, ops, most, candidates...): names are those of configs/devices/ and of OMT_TILES,
 * candidates what `omnitile tune` tries, ascending; the first one stands where an op does not use
 * the parameter. */
#define OMT_CL_TILE_LIST(X)                                                        \
	X(m, TILE_M, OMT_CL_FOR_GEMMS, 32, 4, 6, 8, 12, 14, 16)                    \
	X(wide, TILE_W, OMT_CL_FOR_GEMMS | OMT_CL_FOR_ATTENTION, 2, 1, 2)          \
	X(rows, TILE_R, OMT_CL_FOR_GEMMS, 64, 1, 2, 4, 6, 8, 11, 14, 18, 22, 32)   \
	X(panels, TILE_P, OMT_CL_FOR_GEMMS, 64, 2, 4, 6, 8, 12, 16, 24)            \
	X(k, TILE_K, OMT_CL_FOR_GEMMS, 1024, 16, 64, 128, 192, 256, 320, 384, 512) \
	X(queries, TILE_Q, OMT_CL_FOR_ATTENTION, 16, 1, 2, 4, 8, 16)               \
	X(arows, TILE_A, OMT_CL_FOR_ATTENTION, 32, 4, 6, 8, 12, 16)                \
	X(keys, TILE_KEYS, OMT_CL_FOR_ATTENTION, 128, 16, 32, 48, 64, 96, 128)
/* m: rows of a register tile (tile.cl). wide: vectors beside each other in one. rows: register
 * tiles below each other. panels: beside each other in a work-item, at most. k: depth of a block, a
 * multiple of 16. queries: vectors of queries a work-item. arows: rows of a register tile there.
 * keys: keys of a block, the only one that changes the order of additions. */

#define OMT_CL_CLASS_ENUM(name, op, size, most) OMT_CL_CLASS_##name,
typedef enum omt_cl_class { OMT_CL_CLASS_LIST(OMT_CL_CLASS_ENUM) OMT_CL_CLASS_COUNT } omt_cl_class;
#undef OMT_CL_CLASS_ENUM

#define OMT_CL_TILE_ENUM(name, ...) OMT_CL_TILE_##name,
typedef enum omt_cl_tile { OMT_CL_TILE_LIST(OMT_CL_TILE_ENUM) OMT_CL_TILE_COUNT } omt_cl_tile;
#undef OMT_CL_TILE_ENUM

#define OMT_CL_TILE_FIELD(name, ...) int32_t name;
typedef struct omt_cl_tiles {
	OMT_CL_TILE_LIST(OMT_CL_TILE_FIELD)
} omt_cl_tiles;
#undef OMT_CL_TILE_FIELD

typedef struct omt_cl_tile_set {
	omt_cl_tiles of[OMT_CL_CLASS_COUNT]; /* 0: not said yet */
} omt_cl_tile_set;

typedef struct omt_cl_class_info {
	const char *name;
	omt_op op;
	size_t size; /* offset in the op's arguments */
	int32_t most;
} omt_cl_class_info;
extern const omt_cl_class_info omt_cl_class_infos[OMT_CL_CLASS_COUNT];

typedef struct omt_cl_tile_info {
	const char *name, *macro;
	size_t at; /* offset in omt_cl_tiles */
	uint32_t ops;
	int32_t most;
	const int32_t *candidates;
	size_t candidate_count;
} omt_cl_tile_info;
extern const omt_cl_tile_info omt_cl_tile_infos[OMT_CL_TILE_COUNT];

/* The class of a launch; OMT_CL_CLASS_COUNT: the op has no tiles. */
omt_cl_class omt_cl_class_of(omt_op op, const void *args);
/* Whether the kernel of a class has this parameter. */
bool omt_cl_tile_used(omt_cl_class class, omt_cl_tile tile);
int32_t *omt_cl_tile_at(omt_cl_tiles *tiles, omt_cl_tile tile);
int32_t omt_cl_tile_get(const omt_cl_tiles *tiles, omt_cl_tile tile);
bool omt_cl_tiles_equal(const omt_cl_tiles *a, const omt_cl_tiles *b);
/* "m=16,rows=8": the parameters that a class has, into text[size]. */
void omt_cl_tiles_print(omt_cl_class class, const omt_cl_tiles *tiles, char *text, size_t size);

/* Changes what "m=16,attention_80.keys=32" names, in one class or in all that have it. */
omt_status omt_cl_tiles_change(omt_cl_tile_set *set, const char *text, omt_error *err);
/* Whether a class's tiles can run: all said, in their ranges, and private arrays that fit a stack
 * (PoCL keeps them on its threads' stacks). Sets what the class does not use. */
omt_status omt_cl_tiles_check(omt_cl_class class, omt_cl_tiles *tiles, omt_error *err);

#endif
