/* attention: the OpenCL attention alone, for bench/peers/attention.py to set beside PyTorch's.
 *
 *     bench_attention TOKENS HEADS KV_HEADS HEAD_DIM CAUSAL REPEATS
 *
 * One line of JSON: median milliseconds of REPEATS calls on one sequence. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/median.h"
#include "exec/exec.h"

#define WARM_S      0.5
#define MAX_REPEATS 999

static omt_error err;

static void check(omt_status status)
{
	if (status == OMT_OK)
		return;
	fprintf(stderr, "bench_attention: %s\n", err.text);
	exit(1);
}

static omt_buffer *make(omt_exec *exec, size_t floats)
{
	omt_buffer *buffer;
	float *values = malloc(floats * sizeof *values);
	if (!values)
		exit(1);
	for (size_t i = 0; i < floats; i++)
		values[i] = (float)(i * 2654435761u % 2048) / 1024.0f - 1.0f;
	check(omt_exec_alloc(exec, floats * sizeof *values, OMT_USAGE_WORK, NULL, &buffer, &err));
	check(omt_exec_write(exec, buffer, 0, values, floats * sizeof *values, NULL, &err));
	check(omt_exec_wait(exec, 0, &err));
	free(values);
	return buffer;
}

int main(int argc, char **argv)
{
	int32_t n[6];
	double seconds[MAX_REPEATS];
	omt_exec *exec;
	if (argc != 7)
		return fprintf(stderr, "bench_attention TOKENS HEADS KV_HEADS HEAD_DIM CAUSAL "
		                       "REPEATS\n"),
		       2;
	for (int i = 0; i < 6; i++)
		n[i] = atoi(argv[i + 1]);
	if (n[0] < 1 || n[1] < 1 || n[2] < 1 || n[3] < 1 || n[5] < 1 || n[5] > MAX_REPEATS)
		return 2;
	const int32_t tokens = n[0], wide = n[1] * n[3], narrow = n[2] * n[3];
	check(omt_exec_open("opencl", &(omt_backend_options){0}, &exec, &err));
	omt_buffer *q = make(exec, (size_t)tokens * (size_t)wide);
	omt_buffer *k = make(exec, (size_t)tokens * (size_t)narrow);
	omt_buffer *v = make(exec, (size_t)tokens * (size_t)narrow);
	omt_buffer *out = make(exec, (size_t)tokens * (size_t)wide), *cu;
	check(omt_exec_alloc(exec, 8, OMT_USAGE_WORK, NULL, &cu, &err));
	check(omt_exec_write(exec, cu, 0, (int32_t[]){0, tokens}, 8, NULL, &err));
	/* A process that has just started runs its threads on one core for a while. */
	const double start = omt_now_s();
	for (int32_t r = 0; r < n[5];) {
		const double begin = omt_now_s();
		check(OMT_RUN(exec, attention, &err, .q = q, .k = k, .v = v, .cu_seqlens = cu,
		              .out = out, .sequences = 1, .max_len = tokens, .heads = n[1],
		              .kv_heads = n[2], .head_dim = n[3], .ldq = wide, .ldkv = narrow,
		              .ldo = wide, .causal = n[4], .scale = 1.0f / sqrtf((float)n[3])));
		check(omt_exec_wait(exec, 0, &err));
		if (begin - start > WARM_S)
			seconds[r++] = omt_now_s() - begin;
	}
	const double ms = 1e3 * omt_median(seconds, (size_t)n[5]);
	printf("{\"op\":\"attention\",\"tokens\":%d,\"heads\":%d,\"kv_heads\":%d,"
	       "\"head_dim\":%d,\"causal\":%d,\"ms\":%.4f,\"gflops\":%.1f}\n",
	       tokens, n[1], n[2], n[3], n[4], ms,
	       4e-6 * tokens * tokens * wide / (n[4] ? 2 : 1) / ms);
	omt_exec_free(exec, q);
	omt_exec_free(exec, k);
	omt_exec_free(exec, v);
	omt_exec_free(exec, out);
	omt_exec_free(exec, cu);
	omt_exec_close(exec);
	return 0;
}
