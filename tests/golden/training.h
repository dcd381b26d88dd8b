/* training.h - items in batches through a tape, for the tests of training. */
#ifndef TESTS_GOLDEN_TRAINING_H
#define TESTS_GOLDEN_TRAINING_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/model.h"
#include "train/tape.h"

#define DATA       "tests/golden/data/"
#define DIMENSION  64
#define MAX_ITEMS  16
#define MAX_TOKENS 2048

/* Samples of a list of items, and the batch of them all. */
typedef struct items {
	omt_sample samples[MAX_ITEMS];
	size_t count;
	omt_batch batch;
} items;

static inline void items_open(const omt_model *model, items *all)
{
	omt_error err;
	const omt_batch_limits limits = omt_batch_limits_of(&model->config, MAX_ITEMS, MAX_TOKENS);
	*all = (items){.count = 0};
	cr_assert_eq(omt_batch_open(&model->config, &limits, &all->batch, &err), OMT_OK, "%s",
	             err.text);
}

static inline void items_add(const omt_model *model, items *all, omt_part *parts, size_t count)
{
	omt_error err;
	const omt_item item = {.id = "x", .parts = parts, .part_count = count};
	cr_assert_lt(all->count, MAX_ITEMS);
	for (size_t i = 0; i < count; i++)
		omt_limits_init(&parts[i].limits);
	cr_assert_eq(omt_sample_make(model, &item, 0, &all->samples[all->count], &err), OMT_OK,
	             "%s", err.text);
	cr_assert(omt_batch_fits(&all->batch, &all->samples[all->count]));
	omt_batch_add(&all->batch, &all->samples[all->count++]);
}

static inline omt_part text_part(const char *text)
{
	return (omt_part){.kind = OMT_TEXT, .text = text, .text_bytes = strlen(text)};
}

static inline void items_close(items *all)
{
	for (size_t i = 0; i < all->count; i++)
		omt_sample_free(&all->samples[i]);
	omt_batch_close(&all->batch);
}

static inline omt_tape *open_tape(const omt_model *model, const char *backend, const omt_lora *lora,
                                  omt_tape *first, omt_trainable *trainable)
{
	omt_error err;
	omt_tape *tape;
	const omt_tape_options options = {
		.backend = backend,
		.limits = omt_batch_limits_of(&model->config, MAX_ITEMS, MAX_TOKENS),
		.lora = lora ? *lora : (omt_lora){0},
	};
	cr_assert_eq(omt_tape_open(model, &options, first, trainable, &tape, &err), OMT_OK, "%s",
	             err.text);
	return tape;
}

static inline omt_record *forward(omt_tape *tape, items *all, omt_keep keep, float *vectors)
{
	omt_error err;
	omt_record *record = NULL;
	cr_assert_eq(omt_tape_forward(tape, &all->batch, keep, &record, vectors, &err), OMT_OK,
	             "%s", err.text);
	return record;
}

static inline void backward(omt_tape *tape, omt_record *record, const float *dvectors,
                            float *gradients)
{
	omt_error err;
	cr_assert_eq(omt_tape_backward(tape, record, dvectors, gradients, &err), OMT_OK, "%s",
	             err.text);
}

#endif
