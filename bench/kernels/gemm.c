/* gemm: the OpenCL gemm against OpenBLAS's sgemm, alternated, on every shape of the model.
 *
 *     bench_gemm [-m ROWS[,ROWS...]] [-n REPEATS] [-s NAME] [-t f32,bf16,i8,w8a8]
 *
 * A line of JSON for each shape, rows and weight type: median milliseconds of both, taken in turn,
 * the ratio, and the share of the machine's measured peak (of multiply-adds, or of memory bandwidth
 * where the shape is bound by it). */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/median.h"
#include "base/number.h"
#include "exec/backend_host.h"
#include "exec/exec.h"
#include "exec/roofline.h"
#include "exec/storage.h"

#define MAX_REPEATS  99
#define COPIES_BYTES ((size_t)96 << 20) /* distinct weights a round: more than a cache holds */

static const struct shape {
	const char *name;
	int32_t n, k;
} shapes[] = {
	{"text.qkv", 2560, 2048},    {"text.o", 2048, 2048},       {"text.gate", 11008, 2048},
	{"text.down", 2048, 11008},  {"vision.patch", 1280, 1176}, {"vision.qkv", 3840, 1280},
	{"vision.proj", 1280, 1280}, {"vision.gate", 3420, 1280},  {"vision.down", 1280, 3420},
	{"merger.in", 5120, 5120},   {"merger.out", 2048, 5120},   {"audio.conv1", 1280, 384},
	{"audio.conv2", 1280, 3840}, {"audio.fc1", 5120, 1280},    {"audio.fc2", 1280, 5120},
	{"audio.proj", 2048, 1280},
};

typedef struct bench {
	omt_exec *exec;
	omt_error err;
	double peak_gflops, bandwidth_gbs;
	int threads;
} bench;

static void check(bench *b, omt_status status)
{
	if (status == OMT_OK)
		return;
	fprintf(stderr, "bench_gemm: %s\n", b->err.text);
	exit(1);
}

static omt_buffer *make(bench *b, size_t bytes, const void *data)
{
	omt_buffer *buffer;
	check(b, omt_exec_alloc(b->exec, bytes, OMT_USAGE_WORK, NULL, &buffer, &b->err));
	if (data)
		check(b, omt_exec_write(b->exec, buffer, 0, data, bytes, NULL, &b->err));
	check(b, omt_exec_wait(b->exec, 0, &b->err));
	return buffer;
}

static float *random_floats(size_t count)
{
	float *values = malloc(count * sizeof *values);
	uint32_t state = 1;
	for (size_t i = 0; values && i < count; i++) {
		state = state * 1664525u + 1013904223u;
		values[i] = (float)(int32_t)state / 2147483648.0f;
	}
	if (!values)
		exit(1);
	return values;
}

/* Panels of the weights in a storage type, as the model holds them. */
static omt_buffer *pack(bench *b, const float *w, int32_t n, int32_t k, int32_t dtype,
                        int32_t panel)
{
	const size_t count = (size_t)n * (size_t)k, size = omt_dtype_bytes(dtype);
	const size_t rows = (size_t)((n + panel - 1) / panel * panel);
	const size_t depth = ((size_t)k + 3) / 4 * 4;
	uint8_t *raw = malloc(count * size);
	if (!raw)
		exit(1);
	for (size_t i = 0; i < count; i++) {
		uint16_t half = omt_bf16_from_f32(w[i]);
		if (dtype == OMT_F32)
			memcpy(raw + 4 * i, &w[i], 4);
		else if (size == 2)
			memcpy(raw + 2 * i, &half, 2);
		else
			raw[i] = (uint8_t)(int8_t)(127 * w[i]);
	}
	omt_buffer *from = make(b, count * size, raw);
	omt_buffer *to = make(b, rows * depth * size, NULL);
	check(b, OMT_RUN(b->exec, pack, &b->err, .src = from, .dst = to, .n = n, .k = k, .lds = k,
	                 .dtype = dtype, .panel = panel));
	check(b, omt_exec_wait(b->exec, 0, &b->err));
	omt_exec_free(b->exec, from);
	free(raw);
	return to;
}

static double median_of(double *seconds, int32_t repeats)
{
	return 1e3 * omt_median(seconds, (size_t)repeats);
}

/* One gemm on the device, with `copies` weights in turn. */
typedef struct gemm_call {
	bench *b;
	omt_buffer *a, *c, **w;
	int32_t copies, m, n, k, dtype, panel;
} gemm_call;

static void run_ours(const gemm_call *x, int32_t calls)
{
	bench *b = x->b;
	for (int32_t i = 0; i < calls; i++) {
		omt_buffer *w = x->w[i % x->copies];
		if (x->dtype == OMT_I8X4)
			check(b, OMT_RUN(b->exec, gemm_i8, &b->err, .a = x->a, .a_scale = x->a,
			                 .w = w, .scale = x->a, .bias = w, .residual = w, .c = x->c,
			                 .m = x->m, .n = x->n, .k = x->k, .lda = x->k, .ldr = x->n,
			                 .ldc = x->n, .w_panel = x->panel));
		else if (x->dtype == OMT_BF16X2)
			check(b,
			      OMT_RUN(b->exec, gemm_bf16, &b->err, .a = x->a, .w = w, .bias = w,
			              .residual = w, .c = x->c, .m = x->m, .n = x->n, .k = x->k,
			              .lda = x->k, .ldr = x->n, .ldc = x->n, .w_panel = x->panel));
		else
			check(b, OMT_RUN(b->exec, gemm, &b->err, .a = x->a, .w = w, .scale = w,
			                 .bias = w, .residual = w, .c = x->c, .m = x->m, .n = x->n,
			                 .k = x->k, .lda = x->k, .ldw = x->k, .ldr = x->n,
			                 .ldc = x->n, .w_dtype = x->dtype, .w_panel = x->panel));
	}
	check(b, omt_exec_wait(b->exec, 0, &b->err));
}

static void print_case(const bench *b, const struct shape *shape, int32_t m, const char *type,
                       double bytes, double mine, double other, int32_t repeats)
{
	const int32_t n = shape->n, k = shape->k;
	const double flops = 2.0 * m * n * k;
	printf("{\"op\":\"gemm\",\"shape\":\"%s\",\"m\":%d,\"n\":%d,\"k\":%d,\"weights\":\"%s\","
	       "\"ms\":%.3f,\"openblas_ms\":%.3f,\"ratio\":%.3f,\"gflops\":%.1f,"
	       "\"of_peak\":%.3f,\"of_bandwidth\":%.3f,\"openblas_of_peak\":%.3f,\"repeats\":%d}\n",
	       shape->name, m, n, k, type, mine, other, other / mine, flops / mine * 1e-6,
	       flops / mine * 1e-6 / b->peak_gflops, bytes / mine * 1e-6 / b->bandwidth_gbs,
	       flops / other * 1e-6 / b->peak_gflops, repeats);
}

static void one(bench *b, const struct shape *shape, int32_t m, const char *type, int32_t repeats)
{
	const int32_t n = shape->n, k = shape->k;
	const int32_t dtype = !strcmp(type, "f32")      ? OMT_F32
	                      : !strcmp(type, "bf16")   ? OMT_BF16
	                      : !strcmp(type, "w8a8")   ? OMT_I8X4
	                      : !strcmp(type, "w16a16") ? OMT_BF16X2
	                                                : OMT_I8;
	omt_backend_info info;
	omt_exec_info(b->exec, &info);
	double flops = 2.0 * m * n * k;
	double bytes = (double)n * k * (double)omt_dtype_bytes(dtype);
	/* A short M reads each weight once: they must not be in a cache from the round before. */
	int32_t copies = m > 32 ? 1 : (int32_t)(COPIES_BYTES / (size_t)bytes) + 1;
	int32_t calls = m > 32 ? (int32_t)(2e10 / flops) + 1 : (int32_t)(2e9 / bytes) + 1;
	float *a = random_floats((size_t)m * (size_t)k), *w = random_floats((size_t)n * (size_t)k);
	float *c = malloc((size_t)m * (size_t)n * sizeof *c);
	float *plain = malloc((size_t)copies * (size_t)n * (size_t)k * sizeof *plain);
	omt_buffer *da = make(b, (size_t)m * (size_t)k * 4, a),
		   *dc = make(b, (size_t)m * (size_t)n * 4, NULL);
	omt_buffer **dw = calloc((size_t)copies, sizeof *dw);
	if (!c || !plain || !dw)
		exit(1);
	for (int32_t i = 0; i < copies; i++) {
		dw[i] = pack(b, w, n, k, dtype, info.panel);
		memcpy(plain + (size_t)i * (size_t)n * (size_t)k, w,
		       (size_t)n * (size_t)k * sizeof *w);
	}
	const gemm_call call = {b, da, dc, dw, copies, m, n, k, dtype, info.panel};
	double ours[MAX_REPEATS], theirs[MAX_REPEATS];
	for (int32_t r = -1; r < repeats; r++) {
		omt_settle();
		run_ours(&call, 2);
		double begin = omt_now_s();
		run_ours(&call, calls);
		double middle = omt_now_s();
		for (int32_t i = 0; i < calls; i++)
			cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0f, a, k,
			            plain + (size_t)(i % copies) * (size_t)n * (size_t)k, k, 0.0f,
			            c, n);
		double end = omt_now_s();
		if (r >= 0) {
			ours[r] = (middle - begin) / calls;
			theirs[r] = (end - middle) / calls;
		}
	}
	double mine = median_of(ours, repeats), other = median_of(theirs, repeats);
	print_case(b, shape, m, type, bytes, mine, other, repeats);
	fflush(stdout);
	for (int32_t i = 0; i < copies; i++)
		omt_exec_free(b->exec, dw[i]);
	omt_exec_free(b->exec, da);
	omt_exec_free(b->exec, dc);
	free(dw);
	free(plain);
	free(a);
	free(w);
	free(c);
}

int main(int argc, char **argv)
{
	const char *rows = "1,16,128,512,1024", *types = "f32,bf16,i8,w8a8", *only = NULL;
	int32_t repeats = 5;
	int option;
	while ((option = getopt(argc, argv, "m:n:s:t:")) != -1) {
		if (option == 'm')
			rows = optarg;
		else if (option == 't')
			types = optarg;
		else if (option == 's')
			only = optarg;
		else if (option == 'n' && atoi(optarg) > 0 && atoi(optarg) <= MAX_REPEATS)
			repeats = atoi(optarg);
		else
			return fprintf(stderr, "bench_gemm [-m ROWS,...] [-n 1..99] "
			                       "[-s NAME] [-t TYPE,...]\n"),
			       2;
	}
	bench b = {.threads = (int)sysconf(_SC_NPROCESSORS_ONLN)};
	check(&b, omt_exec_open("opencl", &(omt_backend_options){0}, &b.exec, &b.err));
	omt_backend_info info, host = {0};
	omt_exec_info(b.exec, &info);
	omt_host_info(&host);
	omt_roofs roofs;
	check(&b, omt_roofline_cpu(b.threads, &omt_roofline_thorough, &roofs, &b.err));
	b.peak_gflops = roofs.peak[OMT_ROOF_F32];
	b.bandwidth_gbs = roofs.sets[roofs.set_count - 1].read_gbs;
	printf("{\"machine\":\"%s\",\"device\":\"%s\",\"driver\":\"%s\",\"blas\":\"%s\","
	       "\"threads\":%d,"
	       "\"peak_gflops\":%.1f,\"bandwidth_gbs\":%.1f}\n",
	       host.device, info.device, info.driver, openblas_get_corename(), b.threads,
	       b.peak_gflops, b.bandwidth_gbs);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
		for (const char *m = rows; m; m = strchr(m, ',') ? strchr(m, ',') + 1 : NULL)
			for (const char *t = types; t;
			     t = strchr(t, ',') ? strchr(t, ',') + 1 : NULL) {
				char type[8];
				snprintf(type, sizeof type, "%.*s", (int)strcspn(t, ","), t);
				if (!only || strstr(shapes[i].name, only))
					one(&b, &shapes[i], atoi(m), type, repeats);
			}
	omt_exec_close(b.exec);
	return 0;
}
