/* Backend hls: the kernels of hls/ as gcc compiles them, the arithmetic of a card without one. They
 * count their cycles and bytes (exec/hls_cost.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/hls_cost.h"
#include "exec/opencl_tiles.h"

__thread hls_counts hls_count;

#define PROTOTYPE(LIST, op)            \
	void hls_##op(HLS_ARGS(LIST)); \
	extern const int32_t hls_params_##op[];
OMT_OP_LIST(PROTOTYPE)

#define OMT_FUNCTION(op) hls_##op
#include "exec/backend_calls.h"

omt_hls_params omt_hls_simulated(omt_op op)
{
#define PARAMS(LIST, name) hls_params_##name,
	static const int32_t *const params[OMT_OP_COUNT] = {OMT_OP_LIST(PARAMS)};
#undef PARAMS
	omt_hls_params taken;
	_Static_assert(sizeof taken == HLS_PARAMS * sizeof(int32_t), "hls_params.h");
	memcpy(&taken, params[op], sizeof taken);
	return taken;
}

omt_hls_cost omt_hls_counted(void)
{
	omt_hls_cost counted = {.read_bytes = hls_count.read_bytes,
	                        .written_bytes = hls_count.written_bytes};
	memcpy(counted.trips, hls_count.trips, sizeof counted.trips);
	hls_count = (hls_counts){0};
	return counted;
}

static omt_status open_hls(const omt_backend_options *options, int32_t most, omt_backend **self,
                           int32_t *count, omt_error *err)
{
	(void)options;
	(void)most;
	*count = 1;
	return omt_host_open(&omt_backend_hls, self, err);
}

static void info_hls(const omt_backend *self, omt_backend_info *info)
{
	(void)self;
	*info = (omt_backend_info){0};
	omt_host_info(info);
	snprintf(info->backend, sizeof info->backend, "hls");
	snprintf(info->driver, sizeof info->driver, "omnitile %s", OMT_VERSION);
	snprintf(info->version, sizeof info->version, "kernels for FPGAs in simulation");
	info->panel = OMT_CL_PANEL;
}

static bool supports_hls(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	const omt_hls_params params = omt_hls_simulated(op);
	return omt_hls_fits(op, args, &params);
}

const omt_backend_class omt_backend_hls = {
	.name = "hls",
	.open = open_hls,
	.close = omt_host_close,
	.info = info_hls,
	.supports = supports_hls,
	.alloc = omt_host_alloc,
	.free = omt_host_free,
	.write = omt_host_write,
	.read = omt_host_read,
	.run = run_here,
	.done = omt_host_done,
	.wait = omt_host_wait,
	.elapsed = omt_host_elapsed,
};
