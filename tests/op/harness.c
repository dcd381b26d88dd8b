#include "tests/op/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/hls_cost.h"

typedef struct op_array {
	const char *name;
	void *data;
	size_t bytes;
	bool alias;
} op_array;

struct op_bench {
	omt_exec *ref, *exec;
	op_array arrays[OMT_OP_MAX_BUFFERS];
	int count;
	uint64_t state;
};

float op_random(op_bench *bench)
{
	bench->state = bench->state * 6364136223846793005u + 1442695040888963407u;
	return (float)(bench->state >> 40) / 8388608.0f - 1.0f;
}

static op_array *add(op_bench *bench, const char *name, size_t bytes)
{
	op_array *array = &bench->arrays[bench->count++];
	cr_assert_leq(bench->count, OMT_OP_MAX_BUFFERS);
	*array = (op_array){.name = name, .data = calloc(1, bytes + 1), .bytes = bytes};
	cr_assert_not_null(array->data);
	return array;
}

float *op_floats(op_bench *bench, const char *name, size_t count)
{
	float *data = add(bench, name, count * sizeof *data)->data;
	for (size_t i = 0; i < count; i++)
		data[i] = op_random(bench);
	return data;
}

int32_t *op_ints(op_bench *bench, const char *name, const int32_t *values, size_t count)
{
	int32_t *data = add(bench, name, count * sizeof *data)->data;
	memcpy(data, values, count * sizeof *data);
	return data;
}

uint8_t *op_bytes(op_bench *bench, const char *name, size_t count)
{
	return add(bench, name, count)->data;
}

static op_array *find(op_bench *bench, const char *name)
{
	for (int i = 0; i < bench->count; i++)
		if (!strcmp(bench->arrays[i].name, name))
			return &bench->arrays[i];
	return NULL;
}

void op_alias(op_bench *bench, const char *name, const char *other)
{
	op_array *from = find(bench, other);
	cr_assert_not_null(from);
	bench->arrays[bench->count++] = (op_array){name, from->data, from->bytes, true};
}

void op_clear(op_bench *bench)
{
	for (int i = 0; i < bench->count; i++)
		if (!bench->arrays[i].alias)
			free(bench->arrays[i].data);
	bench->count = 0;
}

/* Runs on one exec; out[i] gets the i-th array's content afterwards. */
static void run_on(op_bench *bench, omt_exec *exec, omt_op op, const void *args, void **out)
{
	const omt_op_info *info = &omt_op_infos[op];
	struct {
		omt_buffer *buffers[OMT_OP_MAX_BUFFERS];
		omt_scalar_i32 scalars[OMT_OP_MAX_SCALARS];
	} copy;
	omt_error err = {0};
	memcpy(&copy, args,
	       (size_t)info->buffers * sizeof(omt_buffer *) + (size_t)info->scalars * 4);
	omt_buffer **buffers = omt_op_buffers(&copy), *unused = NULL;
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		buffers[i] = NULL;
		if (!array || array->alias)
			continue;
		cr_assert_eq(
			omt_exec_alloc(exec, array->bytes, OMT_USAGE_WORK, NULL, &buffers[i], &err),
			OMT_OK, "%s", err.text);
		cr_assert_eq(
			omt_exec_write(exec, buffers[i], 0, array->data, array->bytes, NULL, &err),
			OMT_OK, "%s", err.text);
		unused = buffers[i];
	}
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		for (int j = 0; array && array->alias && !buffers[i] && j < info->buffers; j++) {
			op_array *other = find(bench, info->buffer[j].name);
			if (other && !other->alias && other->data == array->data)
				buffers[i] = buffers[j];
		}
		buffers[i] = buffers[i] ? buffers[i] : unused;
	}
	cr_assert_eq(omt_exec_run(exec, op, &copy, NULL, &err), OMT_OK, "%s", err.text);
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		if (array && out[i])
			cr_assert_eq(omt_exec_read(exec, buffers[i], 0, out[i], array->bytes, NULL,
			                           &err),
			             OMT_OK, "%s", err.text);
	}
	cr_assert_eq(omt_exec_wait(exec, 0, &err), OMT_OK, "%s", err.text);
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		if (array && !array->alias)
			omt_exec_free(exec, buffers[i]);
	}
}

void op_run_alone(op_bench *bench, omt_op op, const void *args)
{
	void *out[OMT_OP_MAX_BUFFERS] = {NULL};
	for (int i = 0; i < omt_op_infos[op].buffers; i++) {
		op_array *array = find(bench, omt_op_infos[op].buffer[i].name);
		out[i] = array && omt_op_infos[op].buffer[i].access != OMT_ACCESS_IN ? array->data
		                                                                     : NULL;
	}
	run_on(bench, bench->exec, op, args, out);
}

static void compare(const char *what, const float *wanted, const float *got, size_t count,
                    double magnitude, double tolerance)
{
	for (size_t i = 0; i < count; i++) {
		double scale = fmax(fabs((double)wanted[i]), magnitude);
		double difference = fabs((double)wanted[i] - (double)got[i]);
		cr_assert(difference <= tolerance * scale || !memcmp(&wanted[i], &got[i], 4),
		          "%s[%zu] is %.9g, the reference has %.9g", what, i, (double)got[i],
		          (double)wanted[i]);
	}
}

/* A kernel of hls/ has counted what the formulas say of this launch. */
static void check_counts(op_bench *bench, omt_op op, const void *args)
{
	const omt_hls_params params = omt_hls_simulated(op);
	const omt_op_info *info = &omt_op_infos[op];
	const omt_hls_cost counted = omt_hls_counted();
	if (strcmp(omt_exec_chain(bench->exec), "hls,ref"))
		return;
	const int32_t *content[OMT_OP_MAX_BUFFERS] = {NULL};
	for (int i = 0; i < info->buffers; i++) {
		const op_array *array = find(bench, info->buffer[i].name);
		if (info->buffer[i].element == OMT_ELEMENT_i32 && array)
			content[i] = array->data;
	}
	const omt_hls_cost cost = omt_hls_cost_of(op, args, &params, content);
	for (int i = 0; i < HLS_STAGES; i++)
		cr_assert_eq(counted.trips[i], cost.trips[i],
		             "%s: %llu iterations of stage %d, the formula has %llu", info->name,
		             (unsigned long long)counted.trips[i], i,
		             (unsigned long long)cost.trips[i]);
	const omt_hls_cost most = omt_hls_cost_of(op, args, &params, NULL);
	for (int i = 0; i < HLS_STAGES && op != OMT_OP_pool; i++)
		cr_assert_leq(cost.trips[i], most.trips[i], "%s: more than scalars allow",
		              info->name);
	cr_assert_eq(counted.read_bytes, cost.read_bytes,
	             "%s: %llu bytes read, the formula has %llu", info->name,
	             (unsigned long long)counted.read_bytes, (unsigned long long)cost.read_bytes);
	cr_assert_eq(counted.written_bytes, cost.written_bytes,
	             "%s: %llu bytes written, the formula has %llu", info->name,
	             (unsigned long long)counted.written_bytes,
	             (unsigned long long)cost.written_bytes);
}

/* What lies beyond an op's extents does not matter to it, and stays as it is. */
static void check_extents(op_bench *bench, omt_op op, const void *args, void **wanted)
{
	const omt_op_info *info = &omt_op_infos[op];
	void *sent[OMT_OP_MAX_BUFFERS] = {NULL}, *got[OMT_OP_MAX_BUFFERS] = {NULL};
	size_t used[OMT_OP_MAX_BUFFERS] = {0};
	for (int i = 0; i < bench->count; i++) {
		op_array *array = &bench->arrays[i];
		for (int j = 0; j < info->buffers; j++) {
			const op_array *bound = find(bench, info->buffer[j].name);
			const size_t bytes = omt_op_extent(op, args, j);
			if (bound && bound->data == array->data && bytes > used[i])
				used[i] = bytes < array->bytes ? bytes : array->bytes;
		}
		sent[i] = malloc(array->bytes + 1);
		cr_assert_not_null(sent[i]);
		memcpy(sent[i], array->data, array->bytes);
		if (!array->alias)
			memset((uint8_t *)array->data + used[i], 0xa5, array->bytes - used[i]);
	}
	for (int i = 0; i < info->buffers; i++) {
		const op_array *array = find(bench, info->buffer[i].name);
		got[i] = array ? malloc(array->bytes + 1) : NULL;
	}
	run_on(bench, bench->ref, op, args, got);
	for (int i = 0; i < info->buffers; i++) {
		const op_array *array = find(bench, info->buffer[i].name);
		const size_t bytes = array ? used[array - bench->arrays] : 0;
		const uint8_t *tail = (const uint8_t *)got[i] + bytes;
		cr_assert(!array || !memcmp(got[i], wanted[i], bytes),
		          "%s: %s is another one for what lies beyond an extent", info->name,
		          info->buffer[i].name);
		for (size_t at = bytes; array && at < array->bytes; at++)
			cr_assert_eq(tail[at - bytes], 0xa5, "%s: %s[%zu] is beyond its extent",
			             info->name, array->name, at);
		free(got[i]);
	}
	for (int i = 0; i < bench->count; i++) {
		memcpy(bench->arrays[i].data, sent[i], bench->arrays[i].bytes);
		free(sent[i]);
	}
}

void op_run(op_bench *bench, omt_op op, const void *args, double magnitude, double tolerance)
{
	const omt_op_info *info = &omt_op_infos[op];
	void *wanted[OMT_OP_MAX_BUFFERS] = {NULL}, *got[OMT_OP_MAX_BUFFERS] = {NULL};
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		wanted[i] = array ? malloc(array->bytes + 1) : NULL;
		got[i] = array ? malloc(array->bytes + 1) : NULL;
	}
	run_on(bench, bench->ref, op, args, wanted);
	if (!strcmp(omt_exec_chain(bench->exec), "ref"))
		check_extents(bench, op, args, wanted);
	(void)omt_hls_counted();
	run_on(bench, bench->exec, op, args, got);
	check_counts(bench, op, args);
	for (int i = 0; i < info->buffers; i++) {
		op_array *array = find(bench, info->buffer[i].name);
		if (!array)
			continue;
		bool floats = info->buffer[i].element == OMT_ELEMENT_f32;
		if (info->buffer[i].access == OMT_ACCESS_IN || !floats)
			cr_assert(array->alias || !memcmp(wanted[i], got[i], array->bytes),
			          "%s: %s differs", info->name, array->name);
		else
			compare(info->buffer[i].name, wanted[i], got[i], array->bytes / 4,
			        magnitude, tolerance);
		free(wanted[i]);
		free(got[i]);
	}
	op_clear(bench);
}

void op_check(const char *backend, void (*check)(op_bench *bench))
{
	const char *only = getenv("OMT_TEST_BACKENDS");
	omt_error err = {0};
	omt_backend_options options = {0};
	op_bench bench = {.state = 1};
	if (only && *only && strcmp(only, backend))
		cr_skip_test("OMT_TEST_BACKENDS=%s", only);
	cr_assert_eq(omt_exec_open("ref", &options, &bench.ref, &err), OMT_OK, "%s", err.text);
	/* A backend that is not there is a failure: nothing is skipped in silence. */
	cr_assert_eq(omt_exec_open(backend, &options, &bench.exec, &err), OMT_OK, "%s", err.text);
	check(&bench);
	/* What OpenCL does not support would run on the reference and agree with itself. */
	if (!strcmp(backend, "opencl") || !strcmp(backend, "hls"))
		cr_assert_eq(omt_exec_fallbacks(bench.exec), 0);
	omt_exec_close(bench.exec);
	omt_exec_close(bench.ref);
}
