/* layers: the device time of one item of text, for bench/peers/text.py.
 *
 *     bench_layers CHECKPOINT TOKENS REPEATS [WEIGHTS]
 *
 * One line of JSON: median milliseconds of REPEATS runs through the whole text model. The time of a
 * layer is the difference between checkpoints of different depth. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernels/machine.h"
#include "omnitile.h"

#define MAX_REPEATS 99

typedef struct run {
	omt_item item;
	int repeats, taken, tokens;
	double ms[MAX_REPEATS + 1];
} run;

static bool next(void *user, const omt_item **item)
{
	run *r = user;
	*item = &r->item;
	return r->taken++ <= r->repeats;
}

static omt_status put(void *user, const omt_result *result, omt_error *err)
{
	run *r = user;
	if (result->failed.status != OMT_OK) {
		*err = result->failed;
		return err->status;
	}
	r->ms[result->index] = result->compute_ms;
	r->tokens = result->tokens;
	return OMT_OK;
}

int main(int argc, char **argv)
{
	omt_error err;
	omt_model *model;
	omt_engine *engine;
	omt_engine_options options;
	if (argc < 4 || atoi(argv[2]) < 1 || atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_REPEATS)
		return fprintf(stderr, "bench_layers CHECKPOINT TOKENS REPEATS [WEIGHTS]\n"), 2;
	const size_t bytes = 2 * (size_t)atoi(argv[2]);
	char *text = malloc(bytes);
	if (!text)
		return 1;
	for (size_t i = 0; i < bytes; i++)
		text[i] = i % 2 ? 'a' : ' ';
	omt_part part = {.kind = OMT_TEXT, .text = text, .text_bytes = bytes};
	omt_limits_init(&part.limits);
	run r = {.item = {.id = "text", .parts = &part, .part_count = 1}, .repeats = atoi(argv[3])};
	omt_engine_options_init(&options);
	options.backend = "opencl";
	options.batch_items = 1;
	options.slots = 1;
	options.max_tokens = atoi(argv[2]) + 64;
	options.weights = argc > 4 ? argv[4] : NULL;
	if (omt_model_open(argv[1], &model, &err) != OMT_OK ||
	    omt_engine_open(model, &options, &engine, &err) != OMT_OK ||
	    omt_embed(engine, &(omt_source){next, &r}, &(omt_sink){put, &r}, NULL, &err) != OMT_OK)
		return fprintf(stderr, "bench_layers: %s\n", err.text), 1;
	/* The first run warms up. */
	printf("{\"tokens\":%d,\"ms\":%.3f}\n", r.tokens,
	       bench_median(r.ms + 1, (size_t)r.repeats));
	omt_engine_close(engine);
	omt_model_close(model);
	free(text);
	return 0;
}
