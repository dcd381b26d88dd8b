/* layers: the device time of one item, for bench/peers/text.py.
 *
 *     bench_layers CHECKPOINT ITEM REPEATS [WEIGHTS [ops]]
 *     bench_layers CHECKPOINT ITEM REPEATS train ITEMS
 *
 * ITEM: a number of text tokens, or a picture (.png, .jpg) or sound (.wav, .flac). One line of
 * JSON: median milliseconds of REPEATS runs through the whole model. The time of a layer is the
 * difference between checkpoints of different depth. `ops`: instead, the mean milliseconds and the
 * launches of each op, which are waited for one by one. `train`: of a batch of ITEMS such items on
 * one core, the median milliseconds of the forward alone, of that which is kept, and of the
 * backward of all parameters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/median.h"
#include "model/engine.h"
#include "train/tape.h"

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

/* ---- training ---- */

static omt_status fill_batch(const omt_model *model, const run *r, int32_t items, omt_batch *batch,
                             omt_error *err)
{
	omt_sample sample;
	omt_batch_limits limits;
	OMT_TRY(omt_sample_make(model, &r->item, 0, &sample, err));
	limits = omt_batch_limits_of(&model->config, items, items * sample.tokens);
	omt_status status = omt_batch_open(&model->config, &limits, batch, err);
	for (int32_t i = 0; status == OMT_OK && i < items; i++)
		if (omt_batch_fits(batch, &sample))
			omt_batch_add(batch, &sample);
	omt_sample_free(&sample);
	return status;
}

/* Seconds of a step's parts: forward, forward that is kept, backward. */
static omt_status step(omt_tape *tape, omt_batch *batch, float *vectors, float *gradients,
                       double *seconds, omt_error *err)
{
	omt_record *record;
	const double begin = omt_now_s();
	OMT_TRY(omt_tape_forward(tape, batch, OMT_KEEP_NOTHING, NULL, vectors, err));
	const double alone = omt_now_s();
	OMT_TRY(omt_tape_forward(tape, batch, OMT_KEEP_ALL, &record, vectors, err));
	const double kept = omt_now_s();
	OMT_TRY(omt_tape_backward(tape, record, vectors, gradients, err));
	seconds[0] = alone - begin;
	seconds[1] = kept - alone;
	seconds[2] = omt_now_s() - kept;
	return OMT_OK;
}

static omt_status train(const omt_model *model, const run *r, int32_t items, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_batch batch;
	omt_tape *tape = NULL;
	omt_trainable trainable = {0};
	double ms[3][MAX_REPEATS + 1], seconds[3];
	OMT_TRY(fill_batch(model, r, items, &batch, err));
	const omt_tape_options options = {.limits = batch.limits, .threads = 1};
	float *vectors = calloc((size_t)items * (size_t)model->config.text.hidden, sizeof *vectors);
	float *gradients = NULL;
	OMT_GOTO(omt_tape_open(model, &options, NULL, &trainable, &tape, err));
	gradients = calloc(trainable.count, sizeof *gradients);
	if (!vectors || !gradients)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "gradients"));
	for (int i = 0; i <= r->repeats; i++) {
		OMT_GOTO(step(tape, &batch, vectors, gradients, seconds, err));
		for (int part = 0; part < 3 && i; part++) /* the first one warms up */
			ms[part][i - 1] = 1e3 * seconds[part];
	}
	printf("{\"items\":%d,\"tokens\":%d,\"forward_ms\":%.3f,\"kept_forward_ms\":%.3f,"
	       "\"backward_ms\":%.3f}\n",
	       batch.items, batch.tokens, omt_median(ms[0], (size_t)r->repeats),
	       omt_median(ms[1], (size_t)r->repeats), omt_median(ms[2], (size_t)r->repeats));
done:
	omt_tape_close(tape);
	omt_trainable_free(&trainable);
	omt_batch_close(&batch);
	free(vectors);
	free(gradients);
	return status;
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
		return fprintf(stderr, "bench_layers CHECKPOINT ITEM REPEATS [WEIGHTS [ops]]\n"
		                       "bench_layers CHECKPOINT ITEM REPEATS train ITEMS\n"),
		       2;
	const bool ops = argc > 5 && !strcmp(argv[5], "ops");
	run r = {.item = {.id = "item", .parts = &part, .part_count = 1}, .repeats = atoi(argv[3])};
	omt_engine_options_init(&options);
	options.backend = "opencl";
	options.batch_items = 1;
	options.slots = 1;
	options.max_tokens = atoi(argv[2]) + 1024;
	options.weights = argc > 4 ? argv[4] : NULL;
	if (omt_model_open(argv[1], &model, &err) != OMT_OK)
		return fprintf(stderr, "bench_layers: %s\n", err.text), 1;
	if (argc > 5 && !strcmp(argv[4], "train")) {
		const omt_status status = train(model, &r, atoi(argv[5]), &err);
		if (status != OMT_OK)
			fprintf(stderr, "bench_layers: %s\n", err.text);
		omt_model_close(model);
		return status == OMT_OK ? 0 : 1;
	}
	if (omt_engine_open(model, &options, &engine, &err) != OMT_OK)
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
