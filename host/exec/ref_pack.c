#include <stdbool.h>
#include <string.h>

#include "exec/ref.h"
#include "exec/storage.h"

/* Elements that go together: four of a row for OMT_I8X4, else one. */
static void pack_groups(const uint8_t *src, uint8_t *dst, int32_t n, int32_t k, int32_t lds,
                        size_t bytes, int32_t group, int32_t panel)
{
	const int32_t rows = (n + panel - 1) / panel * panel, groups = (k + group - 1) / group;
	for (int32_t row = 0; row < rows; row++)
		for (int32_t i = 0; i < groups * group; i++) {
			size_t to = (size_t)(row / panel) * (size_t)groups * (size_t)group *
			                    (size_t)panel +
			            (size_t)(i / group) * (size_t)(group * panel) +
			            (size_t)(row % panel) * (size_t)group + (size_t)(i % group);
			if (row < n && i < k)
				memcpy(dst + to * bytes,
				       src + ((size_t)row * (size_t)lds + (size_t)i) * bytes,
				       bytes);
			else
				memset(dst + to * bytes, 0, bytes);
		}
}

void ref_pack(OMT_REF_ARGS(OMT_PACK))
{
	const bool quads = dtype == OMT_I8X4;
	pack_groups(src, dst, n, k, lds, quads ? 1 : omt_dtype_bytes(dtype), quads ? 4 : 1, panel);
}
