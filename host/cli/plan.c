#include <string.h>

#include "cli/cli.h"

int cli_plan(int argc, char **argv);

/* "m 512 n 2048 k 2048": the sizes, without strides and flags. */
static void print_shape(const json_t *shape)
{
	static const char *const sizes[] = {"m",     "n",        "k",        "sequences", "max_len",
	                                    "heads", "kv_heads", "head_dim", "rows",      "cols",
	                                    "count", "out_rows", "channels"};
	int width = 0;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const json_t *value = json_object_get(shape, sizes[i]);
		if (value)
			width += printf("%s %lld ", sizes[i], (long long)json_integer_value(value));
	}
	printf("%*s", width < 56 ? 56 - width : 1, "");
}

static void print_table(const json_t *plan)
{
	size_t i;
	json_t *op;
	const json_t *device = json_object_get(plan, "device");
	printf("device    %s (%s), panel %lld\n",
	       json_string_value(json_object_get(device, "name")),
	       json_string_value(json_object_get(device, "backend")),
	       (long long)json_integer_value(json_object_get(device, "panel")));
	printf("batch     %lld items, %lld tokens\n\n",
	       (long long)json_integer_value(json_object_get(plan, "items")),
	       (long long)json_integer_value(json_object_get(plan, "tokens")));
	printf("%-10s %-56s %8s %7s %10s %10s %12s\n", "op", "shape", "launches", "tiles", "GFLOP",
	       "MB", "roofline ms");
	json_array_foreach(json_object_get(plan, "ops"), i, op)
	{
		const json_t *tiles = json_object_get(op, "tiles");
		const json_t *roofline = json_object_get(op, "roofline_ms");
		printf("%-10s ", json_string_value(json_object_get(op, "op")));
		print_shape(json_object_get(op, "shape"));
		printf(" %8lld ", (long long)json_integer_value(json_object_get(op, "launches")));
		if (tiles)
			printf("%7lld ", (long long)json_integer_value(tiles));
		else
			printf("%7s ", "");
		printf("%10.3f %10.2f ", json_number_value(json_object_get(op, "flops")) / 1e9,
		       json_number_value(json_object_get(op, "bytes")) / 1e6);
		if (roofline)
			printf("%12.3f", json_number_value(roofline));
		putchar('\n');
	}
	printf("\ntotal     %lld launches, %.3f GFLOP, %.2f MB moved\n",
	       (long long)json_integer_value(json_object_get(plan, "launches")),
	       json_number_value(json_object_get(plan, "flops")) / 1e9,
	       json_number_value(json_object_get(plan, "bytes")) / 1e6);
	printf("memory    %.2f MB of %.2f MB, a buffer up to %.2f MB of %.2f MB: %s\n",
	       (double)json_integer_value(json_object_get(plan, "memory_bytes")) / 1e6,
	       (double)json_integer_value(json_object_get(device, "memory_bytes")) / 1e6,
	       (double)json_integer_value(json_object_get(plan, "largest_bytes")) / 1e6,
	       (double)json_integer_value(json_object_get(device, "max_alloc_bytes")) / 1e6,
	       json_is_true(json_object_get(plan, "fits")) ? "fits" : "does not fit");
	if (json_object_get(plan, "roofline_ms"))
		printf("roofline  %.3f ms\n",
		       json_number_value(json_object_get(plan, "roofline_ms")));
}

int cli_plan(int argc, char **argv)
{
	static const char verb[] = "plan";
	cli_engine engine;
	int64_t tokens = 64, image = 0, frames = 0, items = 1;
	double seconds = 0;
	const cli_option own[] = {
		{"tokens", "N", "tokens of text an item (64)", CLI_INT, &tokens, 0, 1 << 20, NULL},
		{"image", "SIDE", "and a picture of this side in pixels", CLI_INT, &image, 0, 16384,
	         NULL},
		{"frames", "N", "and a clip of as many frames of 224 x 224", CLI_INT, &frames, 0,
	         4096, NULL},
		{"seconds", "S", "and as much sound", CLI_REAL, &seconds, 0, 3600, NULL},
		{"items", "N", "such items in the batch (1)", CLI_INT, &items, 1, 65536, NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&engine), NULL};
	omt_model *model;
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!engine.model)
		return cli_usage(verb, "expected --model DIR");
	omt_plan_options options = {.engine = engine.options,
	                            .text_tokens = (int32_t)tokens,
	                            .image_pixels = (int32_t)image,
	                            .video_frames = (int32_t)frames,
	                            .audio_seconds = seconds,
	                            .items = (int32_t)items};
	options.engine.batch_items = (int32_t)engine.batch;
	options.engine.max_tokens = (int32_t)engine.max_tokens;
	options.engine.slots = (int32_t)engine.slots;
	if (omt_model_open(engine.model, &model, &err) != OMT_OK)
		return cli_fail(verb, &err);
	omt_status status = omt_plan(model, &options, &json, &err);
	omt_model_close(model);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	json_t *plan = json_loads(json, 0, NULL);
	if (cli_json)
		puts(json);
	else
		print_table(plan);
	bool fits = json_is_true(json_object_get(plan, "fits"));
	json_decref(plan);
	omt_free(json);
	return fits ? CLI_OK : CLI_SOME_FAILED;
}
