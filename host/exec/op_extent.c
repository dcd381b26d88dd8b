/* How much of its buffers an op uses, as a table of its scalars. */
#include <stddef.h>

#include "exec/op.h"
#include "exec/storage.h"

/* Elements of a buffer from its start: at + rows * row, or all that there are. Scalars are told by
 * their offsets in the op's arguments; 0: none, which counts as 1 row and as nothing before. */
typedef struct extent {
	bool known;
	size_t rows, row, at;
} extent;

#define AT(op, field) offsetof(omt_##op##_args, field)
#define EACH(op, count)                   \
	{                                 \
		true, AT(op, count), 0, 0 \
	}
#define MATRIX(op, rows, ld)                      \
	{                                         \
		true, AT(op, rows), AT(op, ld), 0 \
	}
#define PART(op, rows, ld, first)                             \
	{                                                     \
		true, AT(op, rows), AT(op, ld), AT(op, first) \
	}
#define AFTER(op, first, count)                       \
	{                                             \
		true, AT(op, count), 0, AT(op, first) \
	}
#define ALL                    \
	{                      \
		false, 0, 0, 0 \
	}

/* As the op's buffers stand in the contract. What scalars do not tell is ALL. */
static const extent extents[OMT_OP_COUNT][OMT_OP_MAX_BUFFERS] = {
	[OMT_OP_gemm] = {MATRIX(gemm, m, lda), ALL, AFTER(gemm, n_first, n),
                         AFTER(gemm, n_first, n), MATRIX(gemm, m, ldr), MATRIX(gemm, m, ldc)},
	[OMT_OP_gemm_i8] = {MATRIX(gemm_i8, m, lda), EACH(gemm_i8, m), ALL,
                            AFTER(gemm_i8, n_first, n), AFTER(gemm_i8, n_first, n),
                            MATRIX(gemm_i8, m, ldr), MATRIX(gemm_i8, m, ldc)},
	[OMT_OP_gemm_bf16] = {MATRIX(gemm_bf16, m, lda), ALL, AFTER(gemm_bf16, n_first, n),
                              MATRIX(gemm_bf16, m, ldr), MATRIX(gemm_bf16, m, ldc)},
	[OMT_OP_quantize] = {MATRIX(quantize, rows, ldx), MATRIX(quantize, rows, ldo),
                             EACH(quantize, rows)},
	[OMT_OP_rmsnorm] = {MATRIX(rmsnorm, rows, ldx), EACH(rmsnorm, cols),
                            MATRIX(rmsnorm, rows, ldo)},
	[OMT_OP_layernorm] = {MATRIX(layernorm, rows, ldx), EACH(layernorm, cols),
                              EACH(layernorm, cols), MATRIX(layernorm, rows, ldo)},
	[OMT_OP_rmsnorm_i8] = {MATRIX(rmsnorm_i8, rows, ldx), EACH(rmsnorm_i8, cols),
                               MATRIX(rmsnorm_i8, rows, ldo), EACH(rmsnorm_i8, rows)},
	[OMT_OP_layernorm_i8] = {MATRIX(layernorm_i8, rows, ldx), EACH(layernorm_i8, cols),
                                 EACH(layernorm_i8, cols), MATRIX(layernorm_i8, rows, ldo),
                                 EACH(layernorm_i8, rows)},
	[OMT_OP_rotary] = {MATRIX(rotary, rows, ldx), MATRIX(rotary, rows, head_dim),
                           MATRIX(rotary, rows, head_dim)},
	[OMT_OP_rows] = {ALL, EACH(rows, count), EACH(rows, count), ALL},
	[OMT_OP_unfold] = {ALL, ALL, ALL, MATRIX(unfold, out_rows, ldo)},
	[OMT_OP_patches] = {ALL, EACH(patches, rows), ALL, ALL, MATRIX(patches, rows, ldo)},
	[OMT_OP_pairs] = {ALL, ALL, ALL, MATRIX(pairs, out_rows, ldo)},
	[OMT_OP_pool] = {ALL, ALL, MATRIX(pool, sequences, ldo)},
	[OMT_OP_l2norm] = {MATRIX(l2norm, rows, ldx), MATRIX(l2norm, rows, ldo)},
	[OMT_OP_topk] = {ALL, EACH(topk, rows), MATRIX(topk, rows, ldo), MATRIX(topk, rows, ldo)},
};

static size_t scalar_at(const void *args, size_t offset)
{
	const int32_t value = *(const int32_t *)(const void *)((const char *)args + offset);
	return value > 0 ? (size_t)value : 0;
}

/* Rows of all sequences, were each as long as the longest. */
static size_t attention_extent(const omt_attention_args *a, int32_t i)
{
	const size_t rows = (size_t)a->sequences * (size_t)a->max_len;
	const size_t at[] = {0, (size_t)a->k_at, (size_t)a->v_at, 0, 0};
	const size_t row[] = {(size_t)a->ldq, (size_t)a->ldkv, (size_t)a->ldkv, 0, (size_t)a->ldo};
	return i == 3 ? (size_t)a->sequences + 1 : at[i] + rows * row[i];
}

size_t omt_op_extent(omt_op op, const void *args, int32_t i)
{
	const extent *of = &extents[op][i];
	const size_t element = omt_op_infos[op].buffer[i].element == OMT_ELEMENT_u8 ? 1 : 4;
	if (op == OMT_OP_attention)
		return element * attention_extent(args, i);
	if (!of->known)
		return SIZE_MAX;
	return element * ((of->at ? scalar_at(args, of->at) : 0) +
	                  (of->rows ? scalar_at(args, of->rows) : 1) *
	                          (of->row ? scalar_at(args, of->row) : 1));
}
