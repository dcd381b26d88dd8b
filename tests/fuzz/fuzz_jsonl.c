#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_list *list;
	const omt_item *item;
	omt_limits limits;
	omt_error err;
	char path[64];
	int fd = fuzz_file(data, size, path);
	omt_limits_init(&limits);
	if (omt_list_open(path, OMT_ROLE_QUERY, &limits, &list, &err) == OMT_OK) {
		while (omt_list_next(list, &item))
			if (item->failed.status == OMT_OK && !item->part_count)
				abort();
		omt_list_close(list);
	}
	close(fd);
	return 0;
}
