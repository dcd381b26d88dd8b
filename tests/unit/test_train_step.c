/* Gradients of many items by several threads: however they are cut and kept, the same. */
#include <math.h>

#include "base/random.h"
#include "tests/unit/tiny.h"
#include "train/step.h"

#define ITEMS 11
#define INPUT DATA "inputs/"

static omt_sample samples[ITEMS];
static const omt_sample *of[ITEMS];
static float *vectors, *dvectors;
static size_t count; /* of parameters */

static const struct {
	omt_kind kind;
	const char *text; /* or path */
} items[ITEMS] = {
	{OMT_TEXT, "a red bird"},
	{OMT_TEXT, "what is said in the clip that was recorded on the first day of the year"},
	{OMT_TEXT, "b"},
	{OMT_IMAGE, INPUT "img_exact_112x112.png"},
	{OMT_IMAGE, INPUT "img_gray_90x70.png"},
	{OMT_IMAGE, INPUT "img_tiny_20x20.png"},
	{OMT_AUDIO, INPUT "aud_u8_8k.wav"},
	{OMT_AUDIO, INPUT "aud_silence_1s.wav"},
	{OMT_VIDEO, INPUT "vid_short_1s.mp4"},
	{OMT_VIDEO, INPUT "vid_mandel_av.mp4"},
	{OMT_TEXT, "green"},
};

static void open_items(void)
{
	omt_random random;
	tiny_open();
	const size_t hidden = (size_t)omt_model_dimension(model);
	vectors = malloc(ITEMS * hidden * sizeof *vectors);
	dvectors = malloc(ITEMS * hidden * sizeof *dvectors);
	for (size_t i = 0; i < ITEMS; i++) {
		omt_part part = {.kind = items[i].kind, .fusion = OMT_AUDIO_SEPARATE};
		const omt_item item = {.id = "x", .parts = &part, .part_count = 1};
		omt_limits_init(&part.limits);
		part.limits.max_frames = 4;
		if (part.kind == OMT_TEXT) {
			part.text = items[i].text;
			part.text_bytes = strlen(part.text);
		} else {
			part.path = items[i].text;
		}
		cr_assert_eq(omt_sample_make(model, &item, 0, &samples[i], &err), OMT_OK, "%s",
		             err.text);
		of[i] = &samples[i];
	}
	omt_random_seed(&random, 1, 1);
	for (size_t i = 0; i < ITEMS * hidden; i++)
		dvectors[i] = (float)(omt_random_unit(&random) - 0.5);
}

static void close_items(void)
{
	for (size_t i = 0; i < ITEMS; i++)
		omt_sample_free(&samples[i]);
	free(vectors);
	free(dvectors);
	tiny_close();
}

TestSuite(train_step, .init = open_items, .fini = close_items);

/* The gradients under these settings; free(). */
static float *gradients_of(const char *settings)
{
	omt_train_settings s;
	omt_step step;
	char text[600];
	snprintf(text, sizeof text,
	         "model: m\noutput: o\nsteps: 1\ndata: [{queries: q, passages: p, qrels: r}]\n%s",
	         settings);
	cr_assert_eq(omt_train_settings_parse("t.yaml", text, strlen(text), NULL, 0, &s, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_step_open(model, &s, &step, &err), OMT_OK, "%s", err.text);
	count = step.trainable.count;
	float *gradients = malloc(count * sizeof *gradients);
	for (int again = 0; again < 2; again++) { /* what one left behind does not matter */
		omt_step_clear(&step);
		cr_assert_eq(omt_step_forward(&step, of, ITEMS, vectors, &err), OMT_OK, "%s",
		             err.text);
		cr_assert_eq(omt_step_backward(&step, dvectors, &err), OMT_OK, "%s", err.text);
		const float *sum = omt_step_gradients(&step);
		if (again)
			cr_expect_eq(memcmp(gradients, sum, count * sizeof *sum), 0, "%s",
			             settings);
		memcpy(gradients, sum, count * sizeof *sum);
	}
	omt_step_close(&step);
	omt_train_settings_free(&s);
	return gradients;
}

/* The greatest difference, as a share of the greatest value. */
static double difference(const float *a, const float *b)
{
	double most = 0, worst = 0;
	for (size_t i = 0; i < count; i++) {
		most = fmax(most, fabs((double)a[i]));
		worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
	}
	return worst / most;
}

static void expect_same(const char *const *settings, size_t ways)
{
	float *first = gradients_of(settings[0]);
	double most = 0;
	for (size_t i = 0; i < count; i++)
		most = fmax(most, fabs((double)first[i]));
	cr_expect(most > 1e-3 && isfinite(most), "%g", most);
	for (size_t i = 1; i < ways; i++) {
		float *other = gradients_of(settings[i]);
		cr_expect_leq(difference(first, other), 2e-5, "%s: %g", settings[i],
		              difference(first, other));
		free(other);
	}
	free(first);
}

Test(train_step, full_training_is_the_same_however_it_is_cut)
{
	static const char *const ways[] = {
		"threads: 1\nmicro_batch: 16\n",
		"threads: 2\nmicro_batch: 3\n",
		"threads: 2\nmicro_batch: 1\ngradient_cache: true\n",
		"threads: 3\nmicro_batch: 4\ngradient_cache: true\nkeep: checkpoints\n",
	};
	expect_same(ways, sizeof ways / sizeof *ways);
}

Test(train_step, lora_is_the_same_however_it_is_cut)
{
	static const char *const ways[] = {
		"threads: 1\nmicro_batch: 16\nmethod: lora\nlora: {rank: 4}\n",
		"threads: 2\nmicro_batch: 3\nmethod: lora\nlora: {rank: 4}\n",
		"threads: 2\nmicro_batch: 3\nmethod: lora\nlora: {rank: 4}\ngradient_cache: true\n"
		"keep: checkpoints\n",
	};
	expect_same(ways, sizeof ways / sizeof *ways);
}

Test(train_step, tokens_limit_micro_batches)
{
	omt_train_settings s;
	omt_step step;
	static const char text[] =
		"model: m\noutput: o\nsteps: 1\ndata: [{queries: q, passages: p, qrels: r}]\n"
		"threads: 2\nmicro_batch: 11\nmax_tokens: 200\n";
	const size_t hidden = (size_t)omt_model_dimension(model);
	float *alone = malloc(hidden * sizeof *alone);
	cr_assert_eq(omt_train_settings_parse("t.yaml", text, strlen(text), NULL, 0, &s, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_step_open(model, &s, &step, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_step_embed(&step, of, ITEMS, vectors, &err), OMT_OK, "%s", err.text);
	cr_expect_gt(step.micro_count, 2);
	for (int32_t m = 0; m < step.micro_count; m++) {
		int32_t tokens = 0;
		for (int32_t i = step.starts[m]; i < step.starts[m + 1]; i++)
			tokens += samples[step.members[i]].tokens;
		cr_expect_leq(tokens, 200);
	}
	/* An item alone is what it is among others. */
	for (size_t i = 0; i < ITEMS; i++) {
		cr_assert_eq(omt_step_embed(&step, &of[i], 1, alone, &err), OMT_OK, "%s", err.text);
		for (size_t j = 0; j < hidden; j++)
			cr_expect_float_eq(alone[j], vectors[i * hidden + j], 1e-5f);
	}
	free(alone);
	omt_step_close(&step);
	omt_train_settings_free(&s);
}
