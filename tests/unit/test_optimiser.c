#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "train/optimiser.h"
#include "golden.h"

/* ---- against torch --------------------------------------------------------------------------- */

enum { MATRIX = 4, BIAS = 3, ALL = MATRIX + BIAS, STEPS = 6 };

/* torch 2.7.1:
 *     w = torch.nn.Parameter(torch.tensor([0.5, -1.25, 2.0, 0.03125]))
 *     b = torch.nn.Parameter(torch.tensor([1.0, -0.25, 0.0]))
 *     o = torch.optim.AdamW([{"params": [w], "weight_decay": 0.1},
 *         {"params": [b], "weight_decay": 0.0}], betas=(0.9, 0.98), eps=1e-8)
 *     for t in range(6):
 *         for g in o.param_groups: g["lr"] = 0.01 * min(t + 1, 4) / 4
 *         w.grad = torch.tensor([((i * 7 + t * 5) % 11 - 5) / 4 for i in range(4)])
 *         b.grad = torch.tensor([((i * 3 + t * 2) % 7 - 3) / 8 for i in range(3)])
 *         n = torch.nn.utils.clip_grad_norm_([w, b], clip)
 *         o.step() */
static const struct {
	double clip;
	float values[ALL];
} torch_made[] = {
	{0,
         {0.499563396f, -1.23491395f, 1.9989599f, 0.00963133387f, 1.01156187f, -0.250014365f,
          -0.00533317449f}},
	{1,
         {0.498891473f, -1.23153019f, 1.99366343f, 0.0122844996f, 1.01112258f, -0.253162444f,
          -0.00135465013f}},
};

Test(optimiser, as_torch_has_it)
{
	for (size_t i = 0; i < 2; i++) {
		float values[ALL] = {0.5f, -1.25f, 2, 0.03125f, 1, -0.25f, 0}, gradients[ALL];
		float first[ALL] = {0}, second[ALL] = {0};
		omt_trainable_part parts[] = {
			{.name = "w", .count = MATRIX, .decay = true},
			{.name = "b", .at = MATRIX, .count = BIAS},
		};
		omt_trainable trainable = {parts, 2, values, ALL};
		const omt_optimiser_options options = {.lr = 0.01,
		                                       .beta1 = 0.9,
		                                       .beta2 = 0.98,
		                                       .eps = 1e-8,
		                                       .weight_decay = 0.1,
		                                       .clip = torch_made[i].clip,
		                                       .warmup = 4,
		                                       .steps = 100};
		double norm;
		for (int t = 0; t < STEPS; t++) {
			for (int k = 0; k < MATRIX; k++)
				gradients[k] = (float)((k * 7 + t * 5) % 11 - 5) / 4;
			for (int k = 0; k < BIAS; k++)
				gradients[MATRIX + k] = (float)((k * 3 + t * 2) % 7 - 3) / 8;
			cr_assert_eq(omt_optimiser_step(&options, t, &trainable, gradients, first,
			                                second, 1, &norm, NULL),
			             OMT_OK);
		}
		cr_expect_float_eq(norm, 1.610512375831604, 1e-6, "%.9g", norm);
		for (int k = 0; k < ALL; k++)
			cr_expect_float_eq((double)values[k], (double)torch_made[i].values[k], 5e-7,
			                   "clip %g, %d: %.9g, torch %.9g", options.clip, k,
			                   (double)values[k], (double)torch_made[i].values[k]);
	}
}

/* ../shared/goldens: LoRA's parameters, their gradient and what torch's first step made of them. */
Test(optimiser, the_golden_step)
{
	omt_npy start, gradient, made;
	golden_open(DATA "training/text_tau0.05/lora_init.npy", &start);
	golden_open(DATA "training/text_tau0.05/grad_step1.npy", &gradient);
	golden_open(DATA "training/text_tau0.05/lora_step1.npy", &made);
	const size_t count = (size_t)start.count;
	float *values = malloc(count * sizeof *values), *first = calloc(count, sizeof *first);
	float *second = calloc(count, sizeof *second);
	cr_assert(values && first && second);
	memcpy(values, start.data, count * sizeof *values);
	omt_trainable_part part = {.name = "all", .count = count, .decay = true};
	omt_trainable trainable = {&part, 1, values, count};
	const omt_optimiser_options options = {
		.lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01};
	double norm;
	cr_assert_eq(omt_optimiser_step(&options, 0, &trainable, gradient.data, first, second, 1,
	                                &norm, NULL),
	             OMT_OK);
	for (size_t i = 0; i < count; i++)
		cr_expect_float_eq((double)values[i], (double)((const float *)made.data)[i], 2e-7,
		                   "%zu", i);
	free(values);
	free(first);
	free(second);
	omt_npy_close(&start);
	omt_npy_close(&gradient);
	omt_npy_close(&made);
}

/* ---- rates ----------------------------------------------------------------------------------- */

Test(optimiser, rates)
{
	static const struct {
		omt_schedule schedule;
		double lr_end;
		int64_t warmup, steps, step;
		double rate;
	} cases[] = {
		{OMT_SCHEDULE_CONSTANT, 0, 0, 10, 0, 2},
		{OMT_SCHEDULE_CONSTANT, 0, 4, 10, 0, 0.5},
		{OMT_SCHEDULE_CONSTANT, 0, 4, 10, 3, 2},
		{OMT_SCHEDULE_CONSTANT, 0, 4, 10, 99, 2},
		{OMT_SCHEDULE_LINEAR, 0, 4, 12, 4, 2},
		{OMT_SCHEDULE_LINEAR, 0, 4, 12, 6, 1.5},
		{OMT_SCHEDULE_LINEAR, 0, 4, 12, 11, 0.25}, /* the last step is not lost */
		{OMT_SCHEDULE_LINEAR, 0, 4, 12, 12, 0},
		{OMT_SCHEDULE_LINEAR, 0.5, 4, 12, 6, 1.75},
		{OMT_SCHEDULE_LINEAR, 0.5, 4, 12, 50, 1},
		{OMT_SCHEDULE_COSINE, 0, 0, 8, 0, 2},
		{OMT_SCHEDULE_COSINE, 0, 0, 8, 4, 1},
		{OMT_SCHEDULE_COSINE, 0, 0, 8, 2, 1.7071067811865475},
		{OMT_SCHEDULE_COSINE, 0, 0, 8, 9, 0},
		{OMT_SCHEDULE_COSINE, 0.1, 2, 10, 6, 1.1},
		{OMT_SCHEDULE_LINEAR, 0.1, 10, 10, 9, 2}, /* nothing but the rise */
		{OMT_SCHEDULE_LINEAR, 0.1, 20, 10, 9, 1},
		{OMT_SCHEDULE_LINEAR, 0.1, 10, 10, 10, 0.2},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const omt_optimiser_options options = {.lr = 2,
		                                       .warmup = cases[i].warmup,
		                                       .steps = cases[i].steps,
		                                       .lr_end = cases[i].lr_end,
		                                       .schedule = cases[i].schedule};
		const double rate = omt_optimiser_rate(&options, cases[i].step);
		cr_expect_float_eq(rate, cases[i].rate, 1e-12, "%zu: %g", i, rate);
	}
}

/* ---- many parts ------------------------------------------------------------------------------ */

enum { PARTS = 37, MOST = 20000 };
static omt_trainable_part parts[PARTS];
static float gradients[MOST], values[2][MOST], first[2][MOST], second[2][MOST];

/* Parts of 1 to some hundred values, with gaps as alignment leaves them. */
static size_t fill(void)
{
	omt_random random;
	size_t at = 0;
	omt_random_seed(&random, 9, 0);
	for (int i = 0; i < PARTS; i++) {
		parts[i] = (omt_trainable_part){
			.at = at, .count = 1 + omt_random_below(&random, 500), .decay = i % 3 != 0};
		snprintf(parts[i].name, sizeof parts[i].name, "layers.%d.weight", i);
		for (size_t k = at; k < at + parts[i].count; k++) {
			values[0][k] = values[1][k] = (float)(omt_random_unit(&random) - 0.5);
			gradients[k] = (float)(omt_random_unit(&random) - 0.5);
		}
		at = (at + parts[i].count + 15) / 16 * 16;
		cr_assert(at < MOST);
	}
	return at;
}

static omt_status step(int run, size_t count, int64_t number, int32_t threads, omt_error *err)
{
	static const omt_optimiser_options options = {.lr = 0.01,
	                                              .beta1 = 0.9,
	                                              .beta2 = 0.999,
	                                              .eps = 1e-8,
	                                              .weight_decay = 0.05,
	                                              .clip = 0.5,
	                                              .steps = 10,
	                                              .schedule = OMT_SCHEDULE_COSINE};
	omt_trainable trainable = {parts, PARTS, values[run], count};
	double norm;
	const omt_status status = omt_optimiser_step(&options, number, &trainable, gradients,
	                                             first[run], second[run], threads, &norm, err);
	cr_expect(status != OMT_OK || fabs(norm - omt_gradient_norm(gradients, count)) == 0);
	return status;
}

Test(optimiser, the_same_bits_for_any_threads)
{
	const size_t count = fill();
	for (int number = 0; number < 4; number++) {
		cr_assert_eq(step(0, count, number, 1, NULL), OMT_OK);
		cr_assert_eq(step(1, count, number, 2 + number, NULL), OMT_OK);
	}
	cr_expect(!memcmp(values[0], values[1], sizeof *values));
	cr_expect(!memcmp(first[0], first[1], sizeof *first));
	cr_expect(!memcmp(second[0], second[1], sizeof *second));
}

Test(optimiser, what_is_not_finite_is_named_and_nothing_changed)
{
	static const float bad[] = {NAN, INFINITY, -INFINITY};
	const size_t count = fill();
	for (size_t i = 0; i < 3; i++) {
		omt_error err;
		fill();
		cr_assert_eq(step(0, count, 0, 2, NULL), OMT_OK);
		memcpy(values[1], values[0], sizeof *values);
		memcpy(first[1], first[0], sizeof *first);
		memcpy(second[1], second[0], sizeof *second);
		gradients[parts[20].at + 0] = bad[i];
		cr_expect_eq(step(0, count, 7, 2, &err), OMT_MISMATCH);
		cr_expect(strstr(err.text, "the gradient of layers.20.weight is"), "%s", err.text);
		cr_expect(strstr(err.text, "at element 0"), "%s", err.text);
		cr_expect(!memcmp(values[0], values[1], sizeof *values));
		cr_expect(!memcmp(first[0], first[1], sizeof *first));
		cr_expect(!memcmp(second[0], second[1], sizeof *second));
	}
}

Test(optimiser, values_out_of_bounds_are_named)
{
	omt_error err;
	const size_t count = fill();
	values[0][parts[20].at] = 3e38f;
	first[0][parts[20].at] = -3e38f;
	cr_expect_eq(step(0, count, 1, 2, &err), OMT_MISMATCH);
	cr_expect(strstr(err.text, "layers.20.weight has grown out of bounds"), "%s", err.text);
}

/* Large gradients do not overflow: the norm is f64. */
Test(optimiser, norm)
{
	static const float large[3] = {3e30f, 0, 4e30f},
			   ones[21] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	cr_expect_float_eq(omt_gradient_norm(large, 3), 5e30, 1e24);
	cr_expect_float_eq(omt_gradient_norm(ones, 21), sqrt(21), 1e-15);
	cr_expect_eq(omt_gradient_norm(ones, 0), 0);
	cr_expect(isnan(omt_gradient_norm((const float[]){1, NAN}, 2)));
}
