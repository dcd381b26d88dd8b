#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exec/backend_host.h"
#include "exec/ref.h"

/* ref_<op>(a, w, ..., m, n, ...) from an argument struct: a buffer is its memory, a scalar itself.
 */
#define ARG_BUFFER(access, type, name) omt_host_buffer_data(args->name)
#define ARG_SCALAR(type, name)         args->name
#define RUN(LIST, op)                                              \
	static void run_##op(const void *any)                      \
	{                                                          \
		const omt_##op##_args *args = any;                 \
		ref_##op(LIST(ARG_BUFFER, ARG_SCALAR, OMT_COMMA)); \
	}
OMT_OP_LIST(RUN)

/* The plain C op on buffers that are host memory. */
static void run(omt_op op, const void *args)
{
#define RUNNER(LIST, op) run_##op,
	static void (*const runners[OMT_OP_COUNT])(const void *) = {OMT_OP_LIST(RUNNER)};
#undef RUNNER
	runners[op](args);
}

static omt_status open_ref(const omt_backend_options *options, int32_t most, omt_backend **self,
                           int32_t *count, omt_error *err)
{
	(void)options;
	(void)most;
	*count = 1;
	return omt_host_open(&omt_backend_ref, self, err);
}

static void info_ref(const omt_backend *self, omt_backend_info *info)
{
	(void)self;
	*info = (omt_backend_info){0};
	omt_host_info(info);
	snprintf(info->backend, sizeof info->backend, "ref");
	snprintf(info->driver, sizeof info->driver, "omnitile %s", OMT_VERSION);
	snprintf(info->version, sizeof info->version, "plain C, one thread");
}

static bool supports_ref(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	(void)op;
	(void)args;
	return true;
}

static omt_status run_ref(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                          omt_error *err)
{
	(void)err;
	double begin_s = omt_now_s();
	run(op, args);
	if (mark)
		omt_host_mark(self, begin_s, mark);
	return OMT_OK;
}

const omt_backend_class omt_backend_ref = {
	.name = "ref",
	.open = open_ref,
	.close = omt_host_close,
	.info = info_ref,
	.supports = supports_ref,
	.alloc = omt_host_alloc,
	.free = omt_host_free,
	.write = omt_host_write,
	.read = omt_host_read,
	.run = run_ref,
	.done = omt_host_done,
	.wait = omt_host_wait,
	.elapsed = omt_host_elapsed,
};
