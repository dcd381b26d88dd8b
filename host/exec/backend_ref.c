#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/ref.h"

#define OMT_FUNCTION(op) ref_##op
#include "exec/backend_calls.h"

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
	.run = run_here,
	.done = omt_host_done,
	.wait = omt_host_wait,
	.elapsed = omt_host_elapsed,
};
