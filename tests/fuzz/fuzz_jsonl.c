#include <string.h>

#include "tests/fuzz/input.h"

/* Reads what a caller may read, and checks what it may rely on. */
static void use_item(const omt_item *item)
{
	volatile uint8_t sum = 0;
	if (!item->id || !*item->id)
		abort();
	if ((item->failed.status == OMT_OK) != (item->part_count > 0))
		abort();
	for (size_t i = 0; i < item->part_count; i++) {
		const omt_part *part = &item->parts[i];
		if (part->kind != OMT_TEXT && !*part->path)
			abort();
		for (size_t j = 0; part->kind == OMT_TEXT && j < part->text_bytes; j++)
			sum = (uint8_t)(sum + (uint8_t)part->text[j]);
	}
}

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
			use_item(item);
		omt_list_close(list);
	}
	close(fd);
	return 0;
}
