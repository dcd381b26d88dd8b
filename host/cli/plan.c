#include <string.h>

#include "cli/cli.h"

int cli_plan(int argc, char **argv);

/* "m 512 n 2048 k 2048": the sizes in SHAPE columns, without strides and flags. */
enum { SHAPE = 31 };
static void print_shape(const json_t *shape)
{
	static const struct {
		const char *size, *shown;
	} sizes[] = {
		{"m", "m "},
		{"n", "n "},
		{"k", "k "},
		{"sequences", ""},
		{"max_len", "x "},
		{"heads", "heads "},
		{"kv_heads", "kv "},
		{"head_dim", "x "},
		{"rows", "rows "},
		{"cols", "cols "},
		{"count", "rows "},
		{"out_rows", "rows "},
		{"channels", "channels "},
	};
	int width = 0;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const json_t *value = json_object_get(shape, sizes[i].size);
		if (value)
			width += printf("%s%lld ", sizes[i].shown,
			                (long long)json_integer_value(value));
	}
	printf("%*s", width < SHAPE ? SHAPE - width : 0, "");
}

/* A figure of four digits in `width` columns, of a range that no fixed point suits. */
static void print_figure(double value, int width)
{
	const int decimals = value < 9.9995 ? 3 : value < 99.995 ? 2 : value < 999.95 ? 1 : 0;
	printf(" %*.*f", width, decimals, value);
}

static void print_head(const json_t *plan)
{
	const json_t *device = json_object_get(plan, "device");
	printf("device    %s (%s), panel %.0f\n", cli_string(device, "name"),
	       cli_string(device, "backend"), cli_number(device, "panel"));
	printf("batch     %.0f items, %.0f tokens\n\n", cli_number(plan, "items"),
	       cli_number(plan, "tokens"));
}

/* Of a device's memory; 0: its file does not say. */
static void print_limit(double bytes)
{
	if (bytes > 0)
		printf(" of %.2f MB", bytes / 1e6);
}

static void print_totals(const json_t *plan)
{
	const json_t *device = json_object_get(plan, "device");
	printf("\ntotal     %.0f launches, %.3f GFLOP, %.2f MB moved\n",
	       cli_number(plan, "launches"), cli_number(plan, "flops") / 1e9,
	       cli_number(plan, "bytes") / 1e6);
	printf("memory    %.2f MB", cli_number(plan, "memory_bytes") / 1e6);
	print_limit(cli_number(device, "memory_bytes"));
	printf(", a buffer up to %.2f MB", cli_number(plan, "largest_bytes") / 1e6);
	print_limit(cli_number(device, "max_alloc_bytes"));
	printf(": %s\n", json_is_true(json_object_get(plan, "fits")) ? "fits" : "does not fit");
}

static void print_table(const json_t *plan)
{
	size_t i;
	json_t *op;
	print_head(plan);
	printf("%-12s %-*s %6s %7s %10s %10s %12s\n", "op", SHAPE, "shape", "times", "tiles",
	       "GFLOP", "MB", "roofline ms");
	json_array_foreach(json_object_get(plan, "ops"), i, op)
	{
		const json_t *tiles = json_object_get(op, "tiles");
		const json_t *roofline = json_object_get(op, "roofline_ms");
		printf("%-12s ", cli_string(op, "op"));
		print_shape(json_object_get(op, "shape"));
		printf(" %6.0f ", cli_number(op, "launches"));
		if (tiles)
			printf("%7lld ", (long long)json_integer_value(tiles));
		else
			printf("%7s ", "");
		printf("%10.3f %10.2f ", cli_number(op, "flops") / 1e9,
		       cli_number(op, "bytes") / 1e6);
		if (roofline)
			printf("%12.3f", json_number_value(roofline));
		putchar('\n');
	}
	print_totals(plan);
	if (json_object_get(plan, "roofline_ms"))
		printf("roofline  %.3f ms\n", cli_number(plan, "roofline_ms"));
}

/* ---- of a card ---- */

/* "pe 96 width 8 rows 96 cols 512 depth 64" */
static void print_params(const json_t *params)
{
	const char *name, *before = "";
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)params, name, value)
	{
		printf("%s%s %lld", before, name, (long long)json_integer_value(value));
		before = " ";
	}
}

/* "kernel  dsp bram uram lut ff", what follows is the caller's. */
static void print_amount(const char *name, const json_t *amount)
{
	printf("%-12s %5.0f %5.0f %5.0f %7.0f %7.0f", name, cli_number(amount, "dsp"),
	       cli_number(amount, "bram"), cli_number(amount, "uram"), cli_number(amount, "lut"),
	       cli_number(amount, "ff"));
}

static void print_kernels(const json_t *card)
{
	const json_t *all = json_object_get(card, "resources");
	const char *name;
	json_t *kernel;
	printf("\n%-12s %5s %5s %5s %7s %7s %8s %s\n", "kernel", "dsp", "bram", "uram", "lut", "ff",
	       "most: %", "parameters");
	json_object_foreach(json_object_get(card, "kernels"), name, kernel)
	{
		print_amount(name, json_object_get(kernel, "resources"));
		printf(" %4s %3.0f ", cli_string(kernel, "most_of"),
		       100 * cli_number(kernel, "share"));
		print_params(json_object_get(kernel, "params"));
		putchar('\n');
	}
	print_amount("together", json_object_get(all, "used"));
	putchar('\n');
	print_amount("can be used", json_object_get(all, "usable"));
	putchar('\n');
}

static void print_energy(const json_t *card)
{
	const double watts = cli_number(card, "watts"), most = cli_number(card, "most_watts");
	if (most > 0)
		printf("energy    %.4g J an item, %.1f W of %.0f%s (an estimate: "
		       "host/exec/card_kernel.h)\n",
		       cli_number(card, "joules_per_item"), watts, most,
		       watts > most ? ", more than the card takes" : "");
	else
		puts("energy    not known: the card's file says no power");
}

static void print_op(const json_t *op)
{
	printf("%-12s ", cli_string(op, "op"));
	print_shape(json_object_get(op, "shape"));
	printf(" %5.0f", cli_number(op, "launches"));
	if (!json_object_get(op, "seconds")) {
		puts(" (no kernel in hls/)");
		return;
	}
	print_figure(cli_number(op, "cycles") / 1e6, 8);
	print_figure(cli_number(op, "seconds") * 1e3, 8);
	print_figure(cli_number(op, "gops"), 6);
	print_figure((cli_number(op, "read_bytes") + cli_number(op, "written_bytes")) / 1e6, 8);
	print_figure(cli_number(op, "joules"), 6);
	printf(" %s\n", cli_string(op, "bound"));
}

static void print_card(const json_t *plan)
{
	const json_t *card = json_object_get(plan, "card");
	size_t i;
	json_t *op;
	print_head(plan);
	printf("%-12s %-*s %5s %8s %8s %6s %8s %6s %s\n", "op", SHAPE, "shape", "times", "Mcycles",
	       "ms", "GOp/s", "MB", "J", "bound");
	json_array_foreach(json_object_get(plan, "ops"), i, op) print_op(op);
	print_kernels(card);
	print_totals(plan);
	cli_print_card(card);
	printf("time      %.3f ms of kernels, without preparation and transfers: "
	       "%.4g items/s, %.1f GOp/s\n",
	       cli_number(card, "seconds") * 1e3, cli_number(card, "items_per_s"),
	       cli_number(card, "gops"));
	print_energy(card);
}

/* Sizes of the item and of the card's kernels, as the options take them. */
typedef struct plan_numbers {
	int64_t tokens, image, frames, items;
	double seconds;
	int64_t pe, width, rows, cols, depth;
	double clock_mhz;
} plan_numbers;

static const char *const number_words[] = {"f32", "bf16", "int8", NULL};
static const char *const number_weights[] = {"stored", "bf16", "int8"};

static omt_plan_options options_of(const cli_engine *engine, const plan_numbers *n, int dtype)
{
	omt_plan_options options = {
		.engine = engine->options,
		.text_tokens = (int32_t)n->tokens,
		.image_pixels = (int32_t)n->image,
		.video_frames = (int32_t)n->frames,
		.audio_seconds = n->seconds,
		.items = (int32_t)n->items,
		.card = {.pe = (int32_t)n->pe,
	                 .width = (int32_t)n->width,
	                 .rows = (int32_t)n->rows,
	                 .cols = (int32_t)n->cols,
	                 .depth = (int32_t)n->depth,
	                 .clock_mhz = n->clock_mhz},
	};
	options.engine.batch_items = (int32_t)engine->batch;
	options.engine.max_tokens = (int32_t)engine->max_tokens;
	options.engine.slots = (int32_t)engine->slots;
	if (dtype >= 0)
		options.engine.weights = number_weights[dtype];
	return options;
}

int cli_plan(int argc, char **argv)
{
	static const char verb[] = "plan";
	cli_engine engine;
	plan_numbers n = {.tokens = 64, .items = 1};
	int dtype = -1;
	const char *like = NULL, *entry = NULL;
	const cli_option own[] = {
		{"tokens", "N", "tokens of text an item (64)", CLI_INT, &n.tokens, 0, 1 << 20,
	         NULL},
		{"image", "SIDE", "and a picture of this side in pixels", CLI_INT, &n.image, 0,
	         16384, NULL},
		{"frames", "N", "and a clip of as many frames of 224 x 224", CLI_INT, &n.frames, 0,
	         4096, NULL},
		{"seconds", "S", "and as much sound", CLI_REAL, &n.seconds, 0, 3600, NULL},
		{"items", "N", "such items in the batch (1)", CLI_INT, &n.items, 1, 65536, NULL},
		{"like", "SHAPE",
	         "tiny, omni-embed-nemotron-3b or a config.json: its shapes, no weights", CLI_TEXT,
	         &like, 0, 0, NULL},
		{"dtype", "NAME", "numbers that gemms multiply: f32, bf16 or int8 (--weights)",
	         CLI_WORD, &dtype, 0, 0, number_words},
		{"pe", "N", "of a card's gemm: processing elements (chosen)", CLI_INT, &n.pe, 1,
	         65536, NULL},
		{"width", "N", "elements of its vectors (chosen)", CLI_INT, &n.width, 1, 64, NULL},
		{"rows", "N", "rows of its tile (chosen)", CLI_INT, &n.rows, 1, 8192, NULL},
		{"cols", "N", "columns of its tile (chosen)", CLI_INT, &n.cols, 1, 65536, NULL},
		{"depth", "N", "block of k (64)", CLI_INT, &n.depth, 1, 4096, NULL},
		{"entry", "NAME",
	         "print the kernels as an entry of bitstreams/manifest.yaml of this name", CLI_TEXT,
	         &entry, 0, 0, NULL},
		{"clock", "MHZ", "of the card's kernels (its usual one)", CLI_REAL, &n.clock_mhz, 1,
	         1e5, NULL},
		{0},
	};
	const cli_option *tables[] = {own, cli_engine_table(&engine), NULL};
	omt_model *model;
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!engine.model)
		return cli_usage(verb, "expected --model DIR");
	if (dtype >= 0 && engine.options.weights)
		return cli_usage(verb, "--dtype and --weights are one choice");
	omt_plan_options options = options_of(&engine, &n, dtype);
	options.card.entry = entry;
	if (like && engine.adapter)
		return cli_usage(verb,
		                 "--adapter is for a model's own weights: no --like beside it");
	omt_status status =
		engine.adapter ? omt_model_open_adapted(engine.model, engine.adapter, &model, &err)
			       : omt_model_open_like(engine.model, like, &model, &err);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	status = omt_plan(model, &options, &json, &err);
	omt_model_close(model);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	json_t *plan = json_loads(json, 0, NULL);
	if (cli_json)
		puts(json);
	else if (entry)
		fputs(cli_string(plan, "entry"), stdout);
	else
		(json_object_get(plan, "card") ? print_card : print_table)(plan);
	bool fits = json_is_true(json_object_get(plan, "fits"));
	json_decref(plan);
	omt_free(json);
	return fits ? CLI_OK : CLI_SOME_FAILED;
}
