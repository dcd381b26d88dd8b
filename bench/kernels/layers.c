/* layers: the device time of one item, for bench/peers/text.py.
 *
 *     bench_layers CHECKPOINT ITEM REPEATS [WEIGHTS [ops]]
 *
 * ITEM: a number of text tokens, or a picture (.png, .jpg) or sound (.wav, .flac). One line of
 * JSON: median milliseconds of REPEATS runs through the whole model. The time of a layer is the
 * difference between checkpoints of different depth. `ops`: instead, the mean milliseconds and the
 * launches of each op, which are waited for one by one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/median.h"
#include "model/engine.h"

#define MAX_REPEATS 99

typedef struct run {
	omt_item item;
	int repeats, taken, tokens;
	double ms[MAX_REPEATS + 1];
	omt_op_times times;
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
	if (!result->index) /* the first run warms up */
		r->times = (omt_op_times){0};
	return OMT_OK;
}

/* A file, or a text of that many one-letter words; false: no memory or neither. */
static bool make_part(const char *what, omt_part *part)
{
	const char *dot = strrchr(what, '.');
	const size_t bytes = 2 * (size_t)atoi(what);
	*part = (omt_part){.kind = OMT_TEXT, .path = what};
	omt_limits_init(&part->limits);
	if (dot) {
		part->kind = strcmp(dot, ".wav") && strcmp(dot, ".flac") ? OMT_IMAGE : OMT_AUDIO;
		return true;
	}
	char *text = malloc(bytes + 1); /* kept to the end */
	for (size_t i = 0; text && i < bytes; i++)
		text[i] = i % 2 ? 'a' : ' ';
	part->text = text;
	part->text_bytes = bytes;
	return text && bytes;
}

static void print_ops(const run *r)
{
	double sum = 0;
	printf("{\"tokens\":%d,\"ops\":{", r->tokens);
	for (int op = 0; op < OMT_OP_COUNT; op++) {
		double ms = 0;
		uint64_t launches = 0;
		for (int row = 0; row < OMT_OP_ROWS; row++)
			if (omt_op_of_row(row) == (omt_op)op) {
				ms += 1e3 * r->times.rows[row].seconds / r->repeats;
				launches += r->times.rows[row].launches;
			}
		if (!launches)
			continue;
		printf("%s\"%s\":[%.3f,%llu]", sum > 0 ? "," : "", omt_op_infos[op].name, ms,
		       (unsigned long long)launches / (unsigned)r->repeats);
		sum += ms;
	}
	printf("},\"ms\":%.3f}\n", sum);
}

int main(int argc, char **argv)
{
	omt_error err;
	omt_model *model;
	omt_engine *engine;
	omt_engine_options options;
	omt_part part;
	if (argc < 4 || atoi(argv[3]) < 1 || atoi(argv[3]) > MAX_REPEATS ||
	    !make_part(argv[2], &part))
		return fprintf(stderr, "bench_layers CHECKPOINT ITEM REPEATS [WEIGHTS [ops]]\n"), 2;
	const bool ops = argc > 5 && !strcmp(argv[5], "ops");
	run r = {.item = {.id = "item", .parts = &part, .part_count = 1}, .repeats = atoi(argv[3])};
	omt_engine_options_init(&options);
	options.backend = "opencl";
	options.batch_items = 1;
	options.slots = 1;
	options.max_tokens = atoi(argv[2]) + 1024;
	options.weights = argc > 4 ? argv[4] : NULL;
	if (omt_model_open(argv[1], &model, &err) != OMT_OK ||
	    omt_engine_open(model, &options, &engine, &err) != OMT_OK)
		return fprintf(stderr, "bench_layers: %s\n", err.text), 1;
	omt_exec_time_ops(omt_engine_exec(engine), ops ? &r.times : NULL);
	if (omt_embed(engine, &(omt_source){next, &r}, &(omt_sink){put, &r}, NULL, &err) != OMT_OK)
		return fprintf(stderr, "bench_layers: %s\n", err.text), 1;
	if (ops)
		print_ops(&r);
	else
		printf("{\"tokens\":%d,\"ms\":%.3f}\n", r.tokens,
		       omt_median(r.ms + 1, (size_t)r.repeats));
	omt_engine_close(engine);
	omt_model_close(model);
	return 0;
}
