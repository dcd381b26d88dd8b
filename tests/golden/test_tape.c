/* The tape on a batch of text, picture, sound and a clip with sound: gradients of all tensors
 * against central differences, the same bits again, from checkpoints, on two threads, in blocks and
 * on a device. */
#include "training.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <unistd.h>

#include "base/random.h"
#include "omnitile_tools.h"
#include "train/tape_private.h"

#define INPUTS DATA "inputs/"
#define ITEMS  4
#define FLOATS (ITEMS * 128) /* of the larger model here */

typedef struct mixed {
	omt_model *model;
	omt_trainable trainable;
	omt_tape *tape;
	items all;
	float direction[FLOATS]; /* the loss is its product with the vectors */
} mixed;

static void add_mixed_items(const omt_model *model, items *all)
{
	omt_part text[] = {text_part("a small red bird on a branch")};
	omt_part image[] = {text_part("query: "),
	                    {.kind = OMT_IMAGE, .path = INPUTS "img_halfeven_70x98.png"}};
	omt_part sound[] = {{.kind = OMT_AUDIO, .path = INPUTS "aud_2s_plus1.wav"},
	                    text_part("what is heard")};
	omt_part clip[] = {{.kind = OMT_VIDEO,
	                    .path = INPUTS "vid_mandel_av.mp4",
	                    .fusion = OMT_AUDIO_SEPARATE}};
	items_open(model, all);
	items_add(model, all, text, 1);
	items_add(model, all, image, 2);
	items_add(model, all, sound, 2);
	items_add(model, all, clip, 1);
}

static void open_mixed(mixed *m, const char *dir, const char *backend, const omt_lora *lora)
{
	omt_error err;
	omt_random random;
	*m = (mixed){0};
	cr_assert_eq(omt_model_open(dir, &m->model, &err), OMT_OK, "%s", err.text);
	m->tape = open_tape(m->model, backend, lora, NULL, &m->trainable);
	add_mixed_items(m->model, &m->all);
	omt_random_seed(&random, 5, 0);
	for (size_t i = 0; i < FLOATS; i++)
		m->direction[i] = (float)(2 * omt_random_unit(&random) - 1);
}

static void close_mixed(mixed *m)
{
	items_close(&m->all);
	omt_tape_close(m->tape);
	omt_trainable_free(&m->trainable);
	omt_model_close(m->model);
}

static double loss_at(mixed *m)
{
	float vectors[FLOATS] = {0};
	double loss = 0;
	omt_error err;
	cr_assert_eq(omt_tape_update(m->tape, &err), OMT_OK);
	forward(m->tape, &m->all, OMT_KEEP_NOTHING, vectors);
	for (size_t i = 0; i < FLOATS; i++)
		loss += (double)vectors[i] * (double)m->direction[i];
	return loss;
}

/* Gradients of a batch; to be freed. */
static float *gradients_of(const mixed *m, omt_tape *tape, items *all, omt_keep keep,
                           float vectors[FLOATS], size_t *bytes)
{
	float *gradients = calloc(m->trainable.count, sizeof *gradients);
	omt_record *record = forward(tape, all, keep, vectors);
	cr_assert_not_null(record);
	if (bytes)
		*bytes = omt_record_bytes(record);
	backward(tape, record, m->direction, gradients);
	return gradients;
}

static void expect_same(const mixed *m, const float *a, const float *b)
{
	cr_expect_eq(memcmp(a, b, m->trainable.count * sizeof *a), 0);
}

static double relative(const float *a, const float *b, size_t count)
{
	double error = 0, all = 0;
	for (size_t i = 0; i < count; i++) {
		error += pow((double)a[i] - (double)b[i], 2);
		all += pow((double)b[i], 2);
	}
	return error > 0 ? sqrt(error / all) : 0; /* encoders that a text does not reach */
}

/* Each tensor's within `most` of the other ones. */
static void expect_near(const mixed *m, const float *a, const float *b, double most)
{
	for (size_t i = 0; i < m->trainable.part_count; i++) {
		const omt_trainable_part *part = &m->trainable.parts[i];
		const double error = relative(a + part->at, b + part->at, part->count);
		cr_expect_leq(error, most, "%s: %g", part->name, error);
	}
}

/* ---- central differences ---- */

/* The loss's slope along a unit direction d of a tensor, against the gradient's. What is beyond
 * half a hundredth must be below `noise`. */
static void check_slope(mixed *m, const omt_trainable_part *part, const float *gradient,
                        const double *d, double step, double noise)
{
	float *values = m->trainable.values + part->at;
	float *kept = malloc(part->count * sizeof *kept);
	double expected = 0, loss[2];
	memcpy(kept, values, part->count * sizeof *kept);
	for (size_t i = 0; i < part->count; i++)
		expected += (double)gradient[i] * d[i];
	for (int side = 0; side < 2; side++) {
		for (size_t i = 0; i < part->count; i++)
			values[i] = kept[i] + (float)((side ? step : -step) * d[i]);
		loss[side] = loss_at(m);
	}
	memcpy(values, kept, part->count * sizeof *kept);
	free(kept);
	const double slope = (loss[1] - loss[0]) / (2 * step);
	cr_expect_leq(fabs(slope - expected), 5e-3 * fabs(expected) + noise,
	              "%s: the loss rises by %g, the gradient says %g", part->name, slope,
	              expected);
}

/* Along the gradient, and in a direction of all elements, which has about norm / sqrt(count) of it.
 */
static void check_part(mixed *m, const omt_trainable_part *part, const float *gradients)
{
	const float *gradient = gradients + part->at;
	double *d = malloc(part->count * sizeof *d), norm = 0;
	const double root = sqrt((double)part->count);
	omt_random random;
	omt_random_seed(&random, 9, part->at);
	for (size_t i = 0; i < part->count; i++)
		norm += (double)gradient[i] * (double)gradient[i];
	norm = sqrt(norm);
	cr_assert_gt(norm, 1e-3, "%s", part->name);
	for (size_t i = 0; i < part->count; i++)
		d[i] = (double)gradient[i] / norm;
	check_slope(m, part, gradient, d, fmin(1e-2, 0.03 / norm), 0);
	for (size_t i = 0; i < part->count; i++)
		d[i] = (omt_random_next(&random) >> 63 ? 1 : -1) / root;
	check_slope(m, part, gradient, d, 0.03, 4e-3 * norm / root);
	free(d);
}

/* The second layer of each tower, and what is there once. */
static bool is_chosen(const char *name)
{
	const char *layer = strstr(name, "layers."), *block = strstr(name, "blocks.");
	return (!layer || !strncmp(layer, "layers.1.", 9)) &&
	       (!block || !strncmp(block, "blocks.1.", 9));
}

Test(tape, all_tensors, .timeout = 120)
{
	static mixed m;
	float vectors[FLOATS];
	open_mixed(&m, DATA "tiny", "openblas", NULL);
	float *gradients = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors, NULL);
	for (size_t i = 0; i < m.trainable.part_count; i++)
		if (is_chosen(m.trainable.parts[i].name))
			check_part(&m, &m.trainable.parts[i], gradients);
	free(gradients);
	close_mixed(&m);
}

/* ---- the same again ---- */

/* Nothing of one walk is left for the next one, whatever came between. */
Test(tape, same_bits)
{
	static mixed m;
	static items one;
	float vectors[FLOATS], again[FLOATS];
	omt_part text[] = {text_part("another one")};
	open_mixed(&m, DATA "tiny", "openblas", NULL);
	items_open(m.model, &one);
	items_add(m.model, &one, text, 1);
	float *expected = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors, NULL);
	float *alone = gradients_of(&m, m.tape, &one, OMT_KEEP_ALL, again, NULL);
	float *both = calloc(m.trainable.count, sizeof *both);
	omt_record *first = forward(m.tape, &m.all, OMT_KEEP_ALL, again);
	cr_expect_eq(memcmp(vectors, again, ITEMS * DIMENSION * sizeof *vectors), 0);
	omt_record *second = forward(m.tape, &one, OMT_KEEP_CHECKPOINTS, again);
	forward(m.tape, &m.all, OMT_KEEP_NOTHING, again);
	cr_expect_eq(memcmp(vectors, again, ITEMS * DIMENSION * sizeof *vectors), 0);
	backward(m.tape, first, m.direction, both);
	expect_same(&m, both, expected);
	memset(both, 0, m.trainable.count * sizeof *both);
	backward(m.tape, second, m.direction, both);
	expect_same(&m, both, alone);
	free(expected);
	free(alone);
	free(both);
	items_close(&one);
	close_mixed(&m);
}

typedef struct worker {
	const mixed *m;
	omt_tape *tape;
	items *all;
	float *gradients;
} worker;

static void *work(void *user)
{
	worker *w = user;
	float vectors[FLOATS];
	for (int i = 0; i < 3; i++) {
		free(w->gradients);
		w->gradients = gradients_of(w->m, w->tape, w->all, OMT_KEEP_ALL, vectors, NULL);
	}
	return NULL;
}

Test(tape, two_threads)
{
	static mixed m;
	static items all;
	float vectors[FLOATS];
	pthread_t thread;
	open_mixed(&m, DATA "tiny", "openblas", NULL);
	omt_tape *second = open_tape(m.model, "openblas", NULL, m.tape, &m.trainable);
	add_mixed_items(m.model, &all);
	float *expected = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors, NULL);
	worker workers[] = {{&m, m.tape, &m.all, NULL}, {&m, second, &all, NULL}};
	cr_assert_eq(pthread_create(&thread, NULL, work, &workers[1]), 0);
	work(&workers[0]);
	pthread_join(thread, NULL);
	for (int i = 0; i < 2; i++) {
		expect_same(&m, workers[i].gradients, expected);
		free(workers[i].gradients);
	}
	free(expected);
	items_close(&all);
	omt_tape_close(second);
	close_mixed(&m);
}

/* ---- a deeper model ---- */

static char folder[64];

static void set(json_t *config, const char *part, const char *key, int value)
{
	json_object_set_new(json_object_get(config, part), key, json_integer(value));
}

/* A checkpoint of 16 layers of 128 wide rows; its folder. */
static void make_deep(void)
{
	omt_error err;
	char path[128];
	json_t *config = json_load_file(DATA "tiny/config.json", 0, NULL);
	strcpy(folder, "/tmp/omnitile-test-XXXXXX");
	cr_assert(config && mkdtemp(folder));
	set(config, "text_config", "num_hidden_layers", 16);
	set(config, "text_config", "hidden_size", 128);
	set(config, "text_config", "intermediate_size", 256);
	set(config, "text_config", "num_key_value_heads", 4);
	json_t *scaling = json_object_get(json_object_get(config, "text_config"), "rope_scaling");
	json_object_set_new(scaling, "mrope_section", json_pack("[iii]", 4, 6, 6));
	set(config, "vision_config", "out_hidden_size", 128);
	set(config, "audio_config", "output_dim", 128);
	snprintf(path, sizeof path, "%s/shape.json", folder);
	cr_assert_eq(json_dump_file(config, path, 0), 0);
	json_decref(config);
	const omt_synth_options options = {.like = path, .tokenizer = DATA "tiny", .seed = 3};
	cr_assert_eq(omt_synth(folder, &options, &err), OMT_OK, "%s", err.text);
}

static void drop_deep(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	cr_expect_eq(system(command), 0);
}

Test(tape, checkpoints, .init = make_deep, .fini = drop_deep)
{
	static const char *const backends[] = {"openblas", "opencl"};
	static mixed m;
	float vectors[2][FLOATS];
	size_t all_bytes, bytes;
	for (size_t i = 0; i < 2; i++) {
		open_mixed(&m, folder, backends[i], NULL);
		float *all = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors[0], &all_bytes);
		float *some =
			gradients_of(&m, m.tape, &m.all, OMT_KEEP_CHECKPOINTS, vectors[1], &bytes);
		cr_expect_eq(memcmp(vectors[0], vectors[1], sizeof vectors[0]), 0);
		expect_same(&m, some, all);
		cr_expect_lt(bytes, all_bytes / 8, "%zu of %zu bytes", bytes, all_bytes);
		free(all);
		free(some);
		close_mixed(&m);
	}
}

/* ---- frozen encoders, blocks, devices ---- */

Test(tape, frozen_encoders)
{
	static mixed m;
	omt_error err;
	omt_tape *tape;
	omt_trainable text;
	float vectors[FLOATS];
	open_mixed(&m, DATA "tiny", "openblas", NULL);
	const omt_tape_options options = {.limits = m.all.batch.limits, .freeze_encoders = true};
	cr_assert_eq(omt_tape_open(m.model, &options, NULL, &text, &tape, &err), OMT_OK);
	float *all = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors, NULL);
	cr_expect_lt(text.count, m.trainable.count);
	for (omt_keep keep = OMT_KEEP_ALL; keep <= OMT_KEEP_CHECKPOINTS; keep++) {
		float *some = gradients_of(&m, tape, &m.all, keep, vectors, NULL);
		for (size_t i = 0; i < text.part_count; i++) {
			const omt_trainable_part *part = &text.parts[i];
			cr_assert_eq(strncmp(part->name, "model.", 6), 0, "%s", part->name);
			cr_expect_eq(memcmp(some + part->at,
			                    all + omt_trainable_find(&m.trainable, part->name)->at,
			                    part->count * sizeof *some),
			             0, "%s", part->name);
		}
		free(some);
	}
	free(all);
	omt_tape_close(tape);
	omt_trainable_free(&text);
	close_mixed(&m);
}

/* Gradients of a text where matrices are in one buffer, or in blocks of `most` bytes. */
static float *in_blocks(const omt_lora *lora, const char *most, omt_trainable *trainable)
{
	static items one;
	omt_error err;
	omt_model *model;
	omt_tape *tape;
	float vectors[128], direction[128];
	/* No picture and no sound, so that the activations are not larger than the matrices. */
	const omt_tape_options options = {.limits = {1, 32, 4, 64, 32}, .lora = *lora};
	omt_part text[] = {text_part("a red bird")};
	if (most)
		setenv("OMT_MAX_ALLOC_BYTES", most, 1);
	cr_assert_eq(omt_model_open(folder, &model, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_tape_open(model, &options, NULL, trainable, &tape, &err), OMT_OK, "%s",
	             err.text);
	unsetenv("OMT_MAX_ALLOC_BYTES");
	if (lora->rank) {
		omt_trainable_init_lora(trainable, 7);
		for (size_t i = 0; i < trainable->count; i++)
			if (trainable->values[i] == 0)
				trainable->values[i] = (float)(i % 7) * 1e-2f;
	}
	for (size_t i = 0; i < 128; i++)
		direction[i] = (float)(i % 5) - 2;
	items_open(model, &one);
	items_add(model, &one, text, 1);
	float *gradients = calloc(trainable->count, sizeof *gradients);
	omt_record *record = forward(tape, &one, OMT_KEEP_ALL, vectors);
	backward(tape, record, direction, gradients);
	items_close(&one);
	omt_tape_close(tape);
	omt_model_close(model);
	return gradients;
}

Test(tape, blocks, .init = make_deep, .fini = drop_deep)
{
	static const char *const targets[] = {"q_proj",  "k_proj",    "v_proj",
	                                      "up_proj", "gate_proj", NULL};
	const omt_lora loras[] = {{0}, {3, 6, targets}};
	for (size_t i = 0; i < 2; i++) {
		static mixed whole, cut;
		float *expected = in_blocks(&loras[i], NULL, &whole.trainable);
		float *gradients = in_blocks(&loras[i], "49152", &cut.trainable);
		cr_expect_gt(relative(expected, (float[1]){1}, 1), 0);
		expect_near(&cut, gradients, expected, 1e-4);
		free(expected);
		free(gradients);
		omt_trainable_free(&whole.trainable);
		omt_trainable_free(&cut.trainable);
	}
}

/* A device has copies of what is trained, each tape its own. */
Test(tape, device)
{
	static mixed m;
	omt_error err;
	float vectors[FLOATS];
	omt_trainable trainable;
	open_mixed(&m, DATA "tiny", "openblas", NULL);
	omt_tape *tapes[2];
	tapes[0] = open_tape(m.model, "opencl", NULL, NULL, &trainable);
	tapes[1] = open_tape(m.model, "opencl", NULL, tapes[0], &trainable);
	for (size_t i = 0; i < trainable.count; i++)
		trainable.values[i] = m.trainable.values[i] *= 1 + (float)(i % 3) * 0.02f;
	cr_assert_eq(omt_tape_update(m.tape, &err), OMT_OK);
	float *expected = gradients_of(&m, m.tape, &m.all, OMT_KEEP_ALL, vectors, NULL);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(omt_tape_update(tapes[i], &err), OMT_OK);
		float *gradients = gradients_of(&m, tapes[i], &m.all, OMT_KEEP_ALL, vectors, NULL);
		expect_near(&m, gradients, expected, 1e-3);
		free(gradients);
	}
	free(expected);
	omt_tape_close(tapes[1]);
	omt_tape_close(tapes[0]);
	omt_trainable_free(&trainable);
	close_mixed(&m);
}

/* ---- what cannot be ---- */

static void expect_refused(const omt_model *model, const omt_tape_options *options,
                           const char *says)
{
	omt_error err = {0};
	omt_tape *tape;
	omt_trainable trainable;
	cr_expect_eq(omt_tape_open(model, options, NULL, &trainable, &tape, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_not_null(strstr(err.text, says), "%s", err.text);
	cr_expect_null(tape);
	cr_expect_null(trainable.values);
}

Test(tape, refused)
{
	static const char *const wrong[] = {"q_proj", "conv1", NULL}, *const none[] = {NULL};
	static const char *const right[] = {"v_proj", NULL};
	static mixed m;
	omt_error err;
	float vectors[FLOATS];
	open_mixed(&m, DATA "tiny", "openblas", &(omt_lora){2, 4, right});
	const omt_batch_limits limits = m.all.batch.limits;
	omt_tape_options options = {.limits = limits, .lora = {4, 8, wrong}};
	expect_refused(m.model, &options, "\"conv1\" is none of q_proj");
	options.lora = (omt_lora){4, 8, none};
	expect_refused(m.model, &options, "no target");
	options.lora = (omt_lora){-1, 8, right};
	expect_refused(m.model, &options, "rank is -1");
	options.lora = (omt_lora){4, NAN, right};
	expect_refused(m.model, &options, "alpha");
	m.tape->limits.tokens = 100;
	cr_expect_eq(omt_tape_forward(m.tape, &m.all.batch, OMT_KEEP_NOTHING, NULL, vectors, &err),
	             OMT_LIMIT);
	omt_batch_clear(&m.all.batch);
	cr_expect_eq(omt_tape_forward(m.tape, &m.all.batch, OMT_KEEP_NOTHING, NULL, vectors, &err),
	             OMT_BAD_ARGUMENT);
	close_mixed(&m);
}

Test(tape, lora_start)
{
	static const char *const targets[] = {"q_proj", "down_proj", NULL};
	static mixed m;
	open_mixed(&m, DATA "tiny", "openblas", &(omt_lora){2, 4, targets});
	cr_assert_eq(m.trainable.part_count, 2 * 2 * 4);
	omt_trainable_init_lora(&m.trainable, 11);
	float *kept = malloc(m.trainable.count * sizeof *kept);
	memcpy(kept, m.trainable.values, m.trainable.count * sizeof *kept);
	for (size_t p = 0; p < m.trainable.part_count; p++) {
		const omt_trainable_part *part = &m.trainable.parts[p];
		const double bound = p % 2 ? 0 : 1 / sqrt((double)part->shape[1]);
		double most = 0;
		for (size_t i = 0; i < part->count; i++)
			most = fmax(most, fabs((double)kept[part->at + i]));
		cr_expect(most <= bound && most >= 0.9 * bound, "%s: %g", part->name, most);
	}
	cr_expect_neq(kept[0], kept[m.trainable.parts[4].at]);
	omt_trainable_init_lora(&m.trainable, 12);
	cr_expect_neq(memcmp(kept, m.trainable.values, m.trainable.count * sizeof *kept), 0);
	omt_trainable_init_lora(&m.trainable, 11);
	cr_expect_eq(memcmp(kept, m.trainable.values, m.trainable.count * sizeof *kept), 0);
	free(kept);
	close_mixed(&m);
}
