#include "hls/device_model/cycles.h"

#include <string.h>

#include "exec/hls_cost.h"

uint64_t omt_model_cycles(const char *kernel, void *const *arguments, size_t count,
                          const int32_t *params)
{
	uint64_t args[OMT_OP_MAX_BUFFERS + OMT_OP_MAX_SCALARS] = {0};
	const int32_t *content[OMT_OP_MAX_BUFFERS] = {NULL};
	omt_hls_params taken;
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_op_info *info = &omt_op_infos[op];
		const size_t buffers = (size_t)info->buffers, scalars = (size_t)info->scalars;
		if (strcmp(info->name, kernel) || count != buffers + scalars)
			continue;
		for (size_t i = 0; i < buffers; i++)
			if (info->buffer[i].element == OMT_ELEMENT_i32)
				content[i] = arguments[i];
		/* exec/op.h: pointers, then scalars without a gap. */
		for (size_t i = 0; i < scalars; i++)
			memcpy((uint8_t *)args + buffers * sizeof(void *) + 4 * i,
			       arguments[buffers + i], 4);
		memcpy(&taken, params, sizeof taken);
		return omt_hls_cost_of(op, args, &taken, content).cycles;
	}
	return 0;
}
