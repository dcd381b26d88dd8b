#include <math.h>

#include "exec/ref.h"

static float dot(const float *a, const float *b, int32_t n)
{
	float sum = 0;
	for (int32_t i = 0; i < n; i++)
		sum += a[i] * b[i];
	return sum;
}

/* One query against the keys [0, count): two passes, the first finds the largest score, so that no
 * score has to be kept. */
static void attend(const float *q, const float *k, const float *v, int32_t count, int32_t ldkv,
                   int32_t head_dim, float scale, float *out)
{
	float most = -INFINITY, total = 0;
	for (int32_t j = 0; j < count; j++)
		most = fmaxf(most, scale * dot(q, k + (size_t)j * (size_t)ldkv, head_dim));
	for (int32_t i = 0; i < head_dim; i++)
		out[i] = 0;
	for (int32_t j = 0; j < count; j++) {
		const float *value = v + (size_t)j * (size_t)ldkv;
		float weight = expf(scale * dot(q, k + (size_t)j * (size_t)ldkv, head_dim) - most);
		total += weight;
		for (int32_t i = 0; i < head_dim; i++)
			out[i] += weight * value[i];
	}
	for (int32_t i = 0; i < head_dim; i++)
		out[i] /= total;
}

void ref_attention(OMT_REF_ARGS(OMT_ATTENTION))
{
	(void)max_len;
	for (int32_t s = 0; s < sequences; s++) {
		int32_t begin = cu_seqlens[s], length = cu_seqlens[s + 1] - begin;
		for (int32_t head = 0; head < heads; head++) {
			size_t kv_head = (size_t)(head / (heads / kv_heads) * head_dim);
			size_t at = (size_t)begin * (size_t)ldkv + kv_head;
			const float *keys = k + k_at + at, *values = v + v_at + at;
			for (int32_t i = 0; i < length; i++) {
				size_t row = (size_t)(begin + i), col = (size_t)(head * head_dim);
				attend(q + row * (size_t)ldq + col, keys, values,
				       causal ? i + 1 : length, ldkv, head_dim, scale,
				       out + row * (size_t)ldo + col);
			}
		}
	}
}
