#include <math.h>
#include <string.h>

#include "tests/op/harness.h"

static void one(op_bench *bench, const int32_t *cu, int32_t sequences, int32_t heads,
                int32_t kv_heads, int32_t dim, int32_t causal)
{
	omt_attention_args args = {.sequences = sequences,
	                           .heads = heads,
	                           .kv_heads = kv_heads,
	                           .head_dim = dim,
	                           .ldq = heads * dim + 1,
	                           .ldkv = kv_heads * dim + 5,
	                           .ldo = heads * dim + 3,
	                           .causal = causal,
	                           .scale = 1.0f / sqrtf((float)dim)};
	size_t tokens = (size_t)cu[sequences];
	for (int32_t s = 0; s < sequences; s++)
		args.max_len = cu[s + 1] - cu[s] > args.max_len ? cu[s + 1] - cu[s] : args.max_len;
	op_floats(bench, "q", tokens * (size_t)args.ldq);
	op_floats(bench, "k", tokens * (size_t)args.ldkv);
	op_floats(bench, "v", tokens * (size_t)args.ldkv);
	op_ints(bench, "cu_seqlens", cu, (size_t)sequences + 1);
	op_floats(bench, "out", tokens * (size_t)args.ldo);
	op_run(bench, OMT_OP_attention, &args, 1, 1e-5);
}

/* The same with q, k and v as columns of one tensor, a gap before each of k and v. */
static void one_tensor(op_bench *bench, const int32_t *cu, int32_t sequences, int32_t heads,
                       int32_t kv_heads, int32_t dim)
{
	omt_attention_args args = {.sequences = sequences,
	                           .heads = heads,
	                           .kv_heads = kv_heads,
	                           .head_dim = dim,
	                           .ldq = (heads + 2 * kv_heads) * dim + 9,
	                           .ldo = heads * dim,
	                           .k_at = heads * dim + 3,
	                           .v_at = (heads + kv_heads) * dim + 5,
	                           .scale = 1.0f / sqrtf((float)dim)};
	args.ldkv = args.ldq;
	for (int32_t s = 0; s < sequences; s++)
		args.max_len = cu[s + 1] - cu[s] > args.max_len ? cu[s + 1] - cu[s] : args.max_len;
	op_floats(bench, "q", (size_t)cu[sequences] * (size_t)args.ldq);
	op_alias(bench, "k", "q");
	op_alias(bench, "v", "q");
	op_ints(bench, "cu_seqlens", cu, (size_t)sequences + 1);
	op_floats(bench, "out", (size_t)cu[sequences] * (size_t)args.ldo);
	op_run(bench, OMT_OP_attention, &args, 1, 1e-5);
}

/* The second sequence of a batch has the bits it has alone. */
static void sequences_are_independent(op_bench *bench)
{
	enum { DIM = 80, A = 37, B = 150 };
	static float q[B * DIM], k[B * DIM], v[B * DIM], alone[B * DIM];
	omt_attention_args args = {.heads = 1,
	                           .kv_heads = 1,
	                           .head_dim = DIM,
	                           .ldq = DIM,
	                           .ldkv = DIM,
	                           .ldo = DIM,
	                           .scale = 0.1f};
	for (int joined = 0; joined < 2; joined++) {
		int32_t before = joined ? A : 0;
		size_t tokens = (size_t)(before + B), at = (size_t)before * DIM;
		const int32_t cu[] = {0, joined ? A : B, A + B};
		float *q_made = op_floats(bench, "q", tokens * DIM);
		float *k_made = op_floats(bench, "k", tokens * DIM);
		float *v_made = op_floats(bench, "v", tokens * DIM);
		if (joined) {
			memcpy(q_made + at, q, sizeof q);
			memcpy(k_made + at, k, sizeof k);
			memcpy(v_made + at, v, sizeof v);
		} else {
			memcpy(q, q_made, sizeof q);
			memcpy(k, k_made, sizeof k);
			memcpy(v, v_made, sizeof v);
		}
		op_ints(bench, "cu_seqlens", cu, joined ? 3 : 2);
		float *out = op_floats(bench, "out", tokens * DIM);
		args.sequences = 1 + joined;
		args.max_len = B;
		op_run_alone(bench, OMT_OP_attention, &args);
		if (joined)
			cr_assert(!memcmp(out + at, alone, sizeof alone), "other bits in a batch");
		else
			memcpy(alone, out, sizeof alone);
		op_clear(bench);
	}
}

static void check_attention(op_bench *bench)
{
	static const int32_t one_token[] = {0, 1}, mixed[] = {0, 1, 16, 33, 97},
			     windows[] = {0, 64, 128, 144, 148, 150}, wide[] = {0, 300};
	for (int32_t causal = 0; causal < 2; causal++) {
		one(bench, one_token, 1, 1, 1, 8, causal);
		one(bench, mixed, 4, 4, 2, 16, causal);
		one(bench, windows, 5, 3, 3, 80, causal);
		one(bench, wide, 1, 4, 1, 64, causal);
		one(bench, mixed, 4, 8, 1, 128, causal);
		one(bench, mixed, 4, 2, 1, 10, causal);
	}
	one_tensor(bench, mixed, 4, 8, 2, 64);
	one_tensor(bench, windows, 5, 3, 3, 80);
	sequences_are_independent(bench);
}

OP_TESTS(attention)
