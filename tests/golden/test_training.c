/* Training against the reference implementation's: vectors, loss, gradients and parameters after
 * steps of AdamW, within the tolerances that each run states. */
#include "training.h"

#include <math.h>

#include "base/json.h"
#include "base/npy.h"
#include "train/loss.h"
#include "train/optimiser.h"

#define RUNS       DATA "training/"
#define PARAMETERS 18688

static const char *const targets[] = {"q_proj",    "k_proj",  "v_proj",    "o_proj",
                                      "gate_proj", "up_proj", "down_proj", NULL};

typedef struct run {
	const char *name;
	json_t *json;
	omt_model *model;
	omt_trainable trainable;
	omt_tape *tape;
	items queries, passages;
	int32_t starts[MAX_ITEMS + 1];
	float q[MAX_ITEMS * DIMENSION], p[MAX_ITEMS * DIMENSION];
	float gradients[PARAMETERS], first[PARAMETERS], second[PARAMETERS];
} run;

static double number_of(const run *r, const char *object, const char *key)
{
	const json_t *in = object ? json_object_get(r->json, object) : r->json;
	const json_t *value = json_object_get(in, key);
	cr_assert(json_is_number(value), "%s: %s", r->name, key);
	return json_number_value(value);
}

/* An array of a run; NULL: there is none. To be freed. */
static float *load_array(const run *r, const char *name, size_t count)
{
	char path[256];
	omt_npy npy;
	omt_error err;
	snprintf(path, sizeof path, RUNS "%s/%s.npy", r->name, name);
	if (omt_npy_open(path, &npy, &err) != OMT_OK)
		return NULL;
	cr_assert_eq(npy.count, (int64_t)count, "%s", path);
	float *values = malloc(count * sizeof *values);
	memcpy(values, npy.data, count * sizeof *values);
	omt_npy_close(&npy);
	return values;
}

static void load_items(run *r, const char *key, items *all)
{
	size_t i, p;
	json_t *item, *part;
	items_open(r->model, all);
	json_array_foreach(json_object_get(r->json, key), i, item)
	{
		omt_part parts[4];
		char path[256];
		json_array_foreach(item, p, part)
		{
			if (json_is_string(part)) {
				parts[p] = text_part(json_string_value(part));
				continue;
			}
			snprintf(path, sizeof path, DATA "%s",
			         json_string_value(json_array_get(part, 1)));
			parts[p] = (omt_part){.kind = OMT_IMAGE, .path = path};
		}
		items_add(r->model, all, parts, json_array_size(item));
	}
}

static void open_run(run *r, const char *name, const char *backend)
{
	omt_error err;
	char path[256];
	snprintf(path, sizeof path, RUNS "%s/run.json", name);
	*r = (run){.name = name};
	cr_assert_eq(omt_json_load(path, 1 << 20, &r->json, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_model_open(DATA "tiny", &r->model, &err), OMT_OK, "%s", err.text);
	const omt_lora lora = {.rank = (int32_t)number_of(r, NULL, "lora_rank"),
	                       .alpha = number_of(r, NULL, "lora_alpha"),
	                       .targets = targets};
	r->tape = open_tape(r->model, backend, &lora, NULL, &r->trainable);
	cr_assert_eq(r->trainable.count, PARAMETERS);
	float *init = load_array(r, "lora_init", PARAMETERS);
	memcpy(r->trainable.values, init, sizeof r->gradients);
	free(init);
	cr_assert_eq(omt_tape_update(r->tape, &err), OMT_OK);
	load_items(r, "queries", &r->queries);
	load_items(r, "passages", &r->passages);
	for (size_t i = 0; i <= r->queries.count; i++)
		r->starts[i] = (int32_t)(i * r->passages.count / r->queries.count);
}

static void close_run(run *r)
{
	items_close(&r->queries);
	items_close(&r->passages);
	omt_tape_close(r->tape);
	omt_trainable_free(&r->trainable);
	omt_model_close(r->model);
	json_decref(r->json);
}

/* Loss of the parameters as they are; gradients: from zeros, unless not wanted. */
static double loss_of(run *r, omt_keep keep)
{
	omt_error err;
	omt_loss_value value;
	float dq[MAX_ITEMS * DIMENSION], dp[MAX_ITEMS * DIMENSION];
	const bool own = !strcmp(json_string_value(json_object_get(r->json, "mode")), "own");
	const omt_loss_options options = {.temperature = number_of(r, NULL, "temperature"),
	                                  .contrast = own ? OMT_CONTRAST_OWN : OMT_CONTRAST_BATCH,
	                                  .mask_margin = INFINITY};
	/* The second forward comes between the first one and its backward. */
	omt_record *queries = forward(r->tape, &r->queries, keep, r->q);
	omt_record *passages = forward(r->tape, &r->passages, keep, r->p);
	const omt_loss_batch batch = {.queries = (int32_t)r->queries.count,
	                              .passages = (int32_t)r->passages.count,
	                              .dimension = DIMENSION,
	                              .q = r->q,
	                              .p = r->p,
	                              .starts = r->starts};
	cr_assert_eq(omt_loss(&options, &batch, &value, dq, dp, &err), OMT_OK, "%s", err.text);
	if (keep == OMT_KEEP_NOTHING)
		return value.loss;
	memset(r->gradients, 0, sizeof r->gradients);
	backward(r->tape, queries, dq, r->gradients);
	backward(r->tape, passages, dp, r->gradients);
	return value.loss;
}

/* sqrt(sum (a - b)^2 / sum b^2), of differences to `from`, if there is one. */
static double relative(const float *a, const float *b, const float *from, size_t count)
{
	double error = 0, all = 0;
	for (size_t i = 0; i < count; i++) {
		const double of = (double)b[i] - (from ? (double)from[i] : 0);
		error += pow((double)a[i] - (double)b[i], 2);
		all += of * of;
	}
	return sqrt(error / all);
}

static void expect_vectors(const run *r, const char *name, const float *vectors, size_t count)
{
	float *expected = load_array(r, name, count * DIMENSION);
	cr_assert_not_null(expected);
	for (size_t i = 0; i < count * DIMENSION; i++)
		cr_assert_float_eq(vectors[i], expected[i], 5e-6, "%s: %s[%zu] is %g, not %g",
		                   r->name, name, i, (double)vectors[i], (double)expected[i]);
	free(expected);
}

static void expect_logits(const run *r)
{
	const size_t queries = r->queries.count, passages = r->passages.count;
	const bool own = !strcmp(json_string_value(json_object_get(r->json, "mode")), "own");
	const size_t cols = own ? passages / queries : passages;
	float *expected = load_array(r, "logits", queries * cols);
	cr_assert_not_null(expected);
	for (size_t i = 0; i < queries; i++)
		for (size_t j = 0; j < cols; j++) {
			const size_t p = own ? i * cols + j : j;
			double dot = 0;
			for (size_t d = 0; d < DIMENSION; d++)
				dot += (double)r->q[i * DIMENSION + d] *
				       (double)r->p[p * DIMENSION + d];
			cr_assert_float_eq(dot / number_of(r, NULL, "temperature"),
			                   expected[i * cols + j], 2e-4, "%s: logit %zu %zu",
			                   r->name, i, j);
		}
	free(expected);
}

static void expect_gradients(const run *r)
{
	float *expected = load_array(r, "grad_step1", PARAMETERS);
	cr_assert_not_null(expected);
	cr_expect_leq(relative(r->gradients, expected, NULL, PARAMETERS),
	              number_of(r, "tolerance", "grad_rel_l2"), "%s: gradients", r->name);
	cr_expect_float_eq(omt_gradient_norm(r->gradients, PARAMETERS),
	                   number_of(r, NULL, "grad_norm_step1"), 1e-3);
	free(expected);
}

/* Parameters after step `step`, from 1. */
static void expect_parameters(const run *r, int step, const float *before)
{
	char name[32];
	snprintf(name, sizeof name, "lora_step%d", step);
	float *expected = load_array(r, name, PARAMETERS);
	cr_assert_not_null(expected, "%s: %s", r->name, name);
	const double error = relative(r->trainable.values, expected, before, PARAMETERS);
	cr_expect_leq(error, number_of(r, "tolerance", "update_rel_l2"), "%s: step %d: %g", r->name,
	              step, error);
	const double most = number_of(r, "tolerance", "param_abs_where_abs_grad_above_1e-3");
	for (size_t i = 0; step == 1 && i < PARAMETERS; i++)
		if (fabsf(r->gradients[i]) > 1e-3f)
			cr_assert_float_eq(r->trainable.values[i], expected[i], most);
	free(expected);
}

static void check_run(const char *name, const char *backend, omt_keep keep)
{
	static run r;
	omt_error err;
	double norm;
	open_run(&r, name, backend);
	const omt_optimiser_options options = {.lr = number_of(&r, "optimizer", "lr"),
	                                       .beta1 = 0.9,
	                                       .beta2 = 0.999,
	                                       .eps = 1e-8,
	                                       .weight_decay = 0.01,
	                                       .lr_end = 1,
	                                       .steps = 3};
	const json_t *losses = json_object_get(r.json, "loss_before_step");
	const double most = number_of(&r, "tolerance", "loss_abs");
	float *before = load_array(&r, "lora_init", PARAMETERS);
	for (size_t step = 0; step < json_array_size(losses); step++) {
		cr_expect_float_eq(loss_of(&r, keep),
		                   json_number_value(json_array_get(losses, step)), most,
		                   "%s: step %zu", name, step);
		if (step == 0) {
			expect_vectors(&r, "query_emb", r.q, r.queries.count);
			expect_vectors(&r, "passage_emb", r.p, r.passages.count);
			expect_logits(&r);
			expect_gradients(&r);
		}
		cr_assert_eq(omt_optimiser_step(&options, (int64_t)step, &r.trainable, r.gradients,
		                                r.first, r.second, 1, &norm, &err),
		             OMT_OK, "%s", err.text);
		cr_assert_eq(omt_tape_update(r.tape, &err), OMT_OK);
		expect_parameters(&r, (int)step + 1, before);
	}
	cr_expect_float_eq(loss_of(&r, OMT_KEEP_NOTHING),
	                   number_of(&r, NULL, "loss_after_last_step"), most, "%s: at the end",
	                   name);
	free(before);
	close_run(&r);
}

static const char *const runs[] = {"text_tau0.02",     "text_tau0.05",       "text_own_tau0.02",
                                   "text_own_tau0.05", "text_zeroB_tau0.05", "image_tau0.05"};

Test(training, runs)
{
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
		check_run(runs[i], "openblas", OMT_KEEP_ALL);
}

Test(training, runs_from_checkpoints)
{
	check_run("image_tau0.05", "openblas", OMT_KEEP_CHECKPOINTS);
}

Test(training, runs_on_ref)
{
	check_run("text_tau0.05", "ref", OMT_KEEP_ALL);
}

Test(training, runs_on_opencl)
{
	check_run("image_tau0.05", "opencl", OMT_KEEP_ALL);
	check_run("text_tau0.05", "opencl", OMT_KEEP_CHECKPOINTS);
}
