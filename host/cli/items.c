/* Inputs of the command line as a source of items. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#define MAX_TEXT ((long)64 << 20)

bool cli_items_open(cli_items *items, omt_error *err)
{
	if (!items->list_path)
		return true;
	return omt_list_open(items->list_path, items->role, items->limits, &items->list, err) ==
	       OMT_OK;
}

void cli_items_close(cli_items *items)
{
	omt_list_close(items->list);
	free(items->content);
	free(items->inputs.text);
	free(items->texts.text);
}

static bool ends_in(const char *path, const char *ending)
{
	size_t length = strlen(path), tail = strlen(ending);
	return length >= tail && !strcmp(path + length - tail, ending);
}

static void fail_item(omt_item *item, omt_status status, const char *path, const char *reason)
{
	item->failed.status = status;
	snprintf(item->failed.text, sizeof item->failed.text, "%s: %s", path, reason);
}

/* The file's content as a text part. */
static void read_text(cli_items *items, const char *path)
{
	FILE *file = fopen(path, "rb");
	long bytes = -1;
	if (file && fseek(file, 0, SEEK_END) == 0)
		bytes = ftell(file);
	free(items->content);
	items->content = bytes >= 0 && bytes <= MAX_TEXT ? malloc((size_t)bytes + 1) : NULL;
	if (!items->content)
		fail_item(&items->item, OMT_IO, path,
		          bytes > MAX_TEXT ? "a text of more than 64 MB" : strerror(errno));
	else if (fseek(file, 0, SEEK_SET) != 0 ||
	         fread(items->content, 1, (size_t)bytes, file) != (size_t)bytes)
		fail_item(&items->item, OMT_IO, path, "not readable");
	items->part.kind = OMT_TEXT;
	items->part.text = items->content;
	items->part.text_bytes = bytes > 0 ? (size_t)bytes : 0;
	if (file)
		fclose(file);
}

static void read_media(cli_items *items, const char *path)
{
	static const char *const kinds[] = {"text", "image", "video", "audio"};
	bool pipe = !strcmp(path, "-") || !strcmp(path, "pipe:");
	items->part.path = path;
	for (int kind = OMT_IMAGE; items->kind && kind < OMT_KIND_COUNT; kind++)
		if (!strcmp(items->kind, kinds[kind])) {
			items->part.kind = (omt_kind)kind;
			return;
		}
	/* A pipe can be read once only: looking at it would use it up. */
	if (pipe)
		fail_item(&items->item, OMT_BAD_ARGUMENT, path,
		          "--kind image, video or audio has to say what comes through the pipe");
	else
		items->item.failed.status =
			omt_file_kind(path, &items->part.kind, &items->item.failed);
}

bool cli_items_next(void *user, const omt_item **item)
{
	cli_items *items = user;
	if (cli_stopped())
		return false;
	if (items->list)
		return omt_list_next(items->list, item);
	size_t at = items->next++;
	if (at >= items->inputs.count + items->texts.count)
		return false;
	items->part = (omt_part){.fusion = items->limits->fusion, .limits = *items->limits};
	items->item = (omt_item){.role = items->role, .parts = &items->part, .part_count = 1};
	if (at < items->inputs.count) {
		const char *path = items->inputs.text[at];
		items->item.id = path;
		if (ends_in(path, ".txt"))
			read_text(items, path);
		else
			read_media(items, path);
	} else {
		snprintf(items->id, sizeof items->id, "text-%zu", at - items->inputs.count + 1);
		items->item.id = items->id;
		items->part.kind = OMT_TEXT;
		items->part.text = items->texts.text[at - items->inputs.count];
		items->part.text_bytes = strlen(items->part.text);
	}
	if (items->item.failed.status != OMT_OK)
		items->item.part_count = 0;
	*item = &items->item;
	return true;
}
