#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/npy.h"
#include "base/random.h"
#include "train/loss.h"
#include "golden.h"

enum { QUERIES = 5, PASSAGES = 12, DIMENSION = 7 };

/* Ragged: 1, 3, 2, 5 and 1 passages. Query 3 has query 0's positive, a negative of query 1 is the
 * positive of query 4, one of query 3's negatives is its positive again, and passages 3 and 5 are
 * the same one. */
static const int32_t starts[QUERIES + 1] = {0, 1, 4, 6, 11, 12};
static const uint64_t numbers[PASSAGES] = {50, 51, 62, 53, 54, 53, 50, 57, 50, 59, 60, 62};

/* Query 2 has a second answer, passage 1, which is query 1's positive. */
static bool judged(void *user, int32_t query, int32_t passage)
{
	++*(int *)user;
	return query == 2 && passage == 1;
}

static float vectors[QUERIES + PASSAGES][DIMENSION];
static int asked;

static omt_loss_batch make(uint64_t seed)
{
	omt_random random;
	omt_random_seed(&random, seed, 0);
	for (int i = 0; i < QUERIES + PASSAGES; i++) {
		double norm = 0;
		for (int k = 0; k < DIMENSION; k++) {
			vectors[i][k] = (float)(omt_random_unit(&random) - 0.3);
			norm += (double)vectors[i][k] * (double)vectors[i][k];
		}
		for (int k = 0; k < DIMENSION; k++)
			vectors[i][k] /= (float)sqrt(norm);
	}
	return (omt_loss_batch){.queries = QUERIES,
	                        .passages = PASSAGES,
	                        .dimension = DIMENSION,
	                        .q = vectors[0],
	                        .p = vectors[QUERIES],
	                        .starts = starts,
	                        .passage_ids = numbers,
	                        .relevant = judged,
	                        .user = &asked};
}

/* ---- the definition, pair by pair ------------------------------------------------------------ */

static double cosine(const omt_loss_batch *b, int i, int j)
{
	double sum = 0;
	for (int k = 0; k < b->dimension; k++)
		sum += (double)b->q[i * b->dimension + k] * (double)b->p[j * b->dimension + k];
	return sum;
}

static bool left_out(const omt_loss_options *o, const omt_loss_batch *b, int i, int j, int of)
{
	bool same = b->passage_ids[j] == b->passage_ids[b->starts[i]];
	same = same || b->relevant(b->user, i, j);
	return (o->mask_ids && same) ||
	       (o->mask_margin < 100 &&
	        cosine(b, i, j) > cosine(b, of, b->starts[of]) - o->mask_margin);
}

static double define(const omt_loss_options *o, const omt_loss_batch *b, int64_t *masked)
{
	double forth = 0, back = 0;
	*masked = 0;
	for (int i = 0; i < b->queries; i++) {
		const double t = o->temperature, own = exp(cosine(b, i, b->starts[i]) / t);
		double all = own, all_back = own;
		for (int k = 0; k < b->queries; k++)
			for (int j = b->starts[k]; j < b->starts[k + 1]; j++) {
				if (j == b->starts[i] ||
				    (o->contrast == OMT_CONTRAST_OWN && k != i) ||
				    (o->contrast == OMT_CONTRAST_POSITIVES && k != i &&
				     j != b->starts[k]))
					continue;
				if (left_out(o, b, i, j, i))
					++*masked;
				else
					all += exp(cosine(b, i, j) / t);
			}
		for (int k = 0; k < b->queries && o->symmetric; k++) {
			if (k == i)
				continue;
			if (left_out(o, b, k, b->starts[i], i))
				++*masked;
			else
				all_back += exp(cosine(b, k, b->starts[i]) / t);
		}
		forth -= log(own / all);
		back -= log(own / all_back);
	}
	return (o->symmetric ? (forth + back) / 2 : forth) / b->queries;
}

/* ---- values and gradients -------------------------------------------------------------------- */

static double loss_of(const omt_loss_options *options, const omt_loss_batch *batch)
{
	omt_loss_value value;
	omt_error err;
	cr_assert_eq(omt_loss(options, batch, &value, NULL, NULL, &err), OMT_OK, "%s", err.text);
	return value.loss;
}

/* By the difference that the floats really have. */
static void check_gradients(const omt_loss_options *options, const omt_loss_batch *batch,
                            const char *what)
{
	float gradients[QUERIES + PASSAGES][DIMENSION];
	omt_loss_value value;
	omt_error err;
	cr_assert_eq(omt_loss(options, batch, &value, gradients[0], gradients[QUERIES], &err),
	             OMT_OK, "%s", err.text);
	for (int i = 0; i < QUERIES + PASSAGES; i++)
		for (int k = 0; k < DIMENSION; k++) {
			float *at = &vectors[i][k];
			const float kept = *at, step = 1e-4f;
			*at = kept + step;
			const double above = *at, more = loss_of(options, batch);
			*at = kept - step;
			const double below = *at, less = loss_of(options, batch);
			*at = kept;
			cr_expect_float_eq((double)gradients[i][k], (more - less) / (above - below),
			                   2e-6, "%s: vector %d at %d: %g, differences %g", what, i,
			                   k, (double)gradients[i][k],
			                   (more - less) / (above - below));
		}
}

static const double margins[] = {INFINITY, 0.05, -0.1};

Test(loss, every_setting_by_its_definition_and_differences)
{
	omt_loss_batch batch = make(3);
	int64_t most = 0;
	for (int setting = 0; setting < OMT_CONTRAST_COUNT * 2 * 2 * 3; setting++) {
		const omt_loss_options options = {.temperature = 0.1,
		                                  .contrast = (omt_contrast)(setting / 12),
		                                  .symmetric = setting / 6 % 2,
		                                  .mask_ids = setting / 3 % 2,
		                                  .mask_margin = margins[setting % 3]};
		omt_loss_value value;
		omt_error err;
		int64_t masked;
		char what[80];
		snprintf(what, sizeof what, "contrast %d, symmetric %d, ids %d, margin %g",
		         (int)options.contrast, options.symmetric, options.mask_ids,
		         options.mask_margin);
		cr_assert_eq(omt_loss(&options, &batch, &value, NULL, NULL, &err), OMT_OK, "%s",
		             err.text);
		cr_expect_float_eq(value.loss, define(&options, &batch, &masked), 1e-12, "%s",
		                   what);
		cr_expect_eq(value.masked, masked, "%s: %d", what, (int)value.masked);
		most = masked > most ? masked : most;
		check_gradients(&options, &batch, what);
	}
	/* The settings did mask something, and not everything. */
	cr_expect(most > 10 && most < QUERIES * (PASSAGES - 1 + QUERIES - 1), "%d", (int)most);
}

Test(loss, ids_alone_mask_what_they_should)
{
	omt_loss_batch batch = make(3);
	omt_loss_options options = {.temperature = 0.1, .mask_margin = INFINITY, .mask_ids = true};
	omt_loss_value value;
	/* Of query 0: 6 and 8; of 3: 0 and 8; of 4: 2; of 2: 1; of 1: none. */
	cr_assert_eq(omt_loss(&options, &batch, &value, NULL, NULL, NULL), OMT_OK);
	cr_expect_eq(value.masked, 6, "%d", (int)value.masked);
	cr_expect_gt(asked, 0);
	/* Without numbers all passages differ. */
	batch.passage_ids = NULL;
	cr_assert_eq(omt_loss(&options, &batch, &value, NULL, NULL, NULL), OMT_OK);
	cr_expect_eq(value.masked, 1);
	batch.relevant = NULL;
	cr_assert_eq(omt_loss(&options, &batch, &value, NULL, NULL, NULL), OMT_OK);
	cr_expect_eq(value.masked, 0);
}

/* Made by PyTorch, ../shared/goldens: training/<run>. */
Test(loss, as_torch_has_it)
{
	static const char *const runs[] = {"text_tau0.02", "text_tau0.05", "text_own_tau0.02",
	                                   "text_own_tau0.05", "image_tau0.05"};
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		char path[160];
		omt_npy q, p;
		json_t *run;
		omt_error err;
		int32_t at[8] = {0};
		snprintf(path, sizeof path, DATA "training/%s/query_emb.npy", runs[i]);
		golden_open(path, &q);
		snprintf(path, sizeof path, DATA "training/%s/passage_emb.npy", runs[i]);
		golden_open(path, &p);
		snprintf(path, sizeof path, DATA "training/%s/run.json", runs[i]);
		cr_assert_eq(omt_json_load(path, 1 << 16, &run, &err), OMT_OK, "%s", err.text);
		const omt_loss_options options = {
			.temperature = json_real_value(json_object_get(run, "temperature")),
			.contrast = strcmp(golden_text(run, "mode"), "own") ? OMT_CONTRAST_BATCH
		                                                            : OMT_CONTRAST_OWN,
			.mask_margin = INFINITY};
		for (int k = 0; k <= q.shape[0]; k++)
			at[k] = k * golden_int(run, "passages_per_query");
		const omt_loss_batch batch = {.queries = (int32_t)q.shape[0],
		                              .passages = (int32_t)p.shape[0],
		                              .dimension = (int32_t)q.shape[1],
		                              .q = q.data,
		                              .p = p.data,
		                              .starts = at};
		cr_expect_float_eq(loss_of(&options, &batch),
		                   json_real_value(json_array_get(
					   json_object_get(run, "loss_before_step"), 0)),
		                   2e-5, "%s: %.8f", runs[i], loss_of(&options, &batch));
		json_decref(run);
		omt_npy_close(&q);
		omt_npy_close(&p);
	}
}

/* ---- edges ----------------------------------------------------------------------------------- */

/* Two vectors that are opposite, as far as cosines go; temperatures that overflow exp(). */
Test(loss, as_far_as_cosines_go)
{
	static const float q[2] = {1, 0}, far[4] = {-1, 0, 1, 0}, near[4] = {1, 0, -1, 0};
	static const int32_t one[2] = {0, 2};
	for (double t = 0.1; t > 1e-5; t /= 10) {
		const omt_loss_options options = {.temperature = t, .mask_margin = INFINITY};
		omt_loss_batch batch = {.queries = 1,
		                        .passages = 2,
		                        .dimension = 2,
		                        .q = q,
		                        .p = far,
		                        .starts = one};
		omt_loss_value value;
		float dq[2], dp[4];
		cr_assert_eq(omt_loss(&options, &batch, &value, dq, dp, NULL), OMT_OK);
		cr_expect_float_eq(value.loss, 2 / t, 1e-8 / t, "%g", value.loss);
		cr_expect_eq(value.accuracy, 0);
		cr_expect_float_eq((double)dq[0], 2 / t, 1e-6 / t);
		cr_expect_float_eq((double)dp[0], -1 / t, 1e-6 / t);
		batch.p = near;
		cr_assert_eq(omt_loss(&options, &batch, &value, dq, dp, NULL), OMT_OK);
		/* Not rounded away though the positive's share is 1 in f64; floats end at 1e-45. */
		const double odds = exp(-2 / t), slope = odds / (1 + odds) / t;
		cr_expect_float_eq(value.loss, log1p(odds), 1e-12 * odds, "%g", value.loss);
		cr_expect_eq(value.accuracy, 1);
		cr_expect_float_eq((double)dp[2], slope, 1e-6 * slope + 1e-45);
		cr_expect_float_eq((double)dp[0], -slope, 1e-6 * slope + 1e-45);
	}
}

static bool all_relevant(void *user, int32_t query, int32_t passage)
{
	(void)user, (void)query, (void)passage;
	return true;
}

/* Nothing to compare with: no loss, no gradient. */
Test(loss, a_query_alone)
{
	omt_loss_batch batch = make(4);
	const omt_loss_options options = {
		.temperature = 0.02, .symmetric = true, .mask_ids = true, .mask_margin = INFINITY};
	float dq[QUERIES][DIMENSION], dp[PASSAGES][DIMENSION];
	omt_loss_value value;
	batch.relevant = all_relevant;
	cr_assert_eq(omt_loss(&options, &batch, &value, dq[0], dp[0], NULL), OMT_OK);
	cr_expect(value.loss == 0 && value.accuracy == 1);
	cr_expect_eq(value.masked, QUERIES * (PASSAGES - 1) + QUERIES * (QUERIES - 1));
	for (int k = 0; k < DIMENSION; k++) {
		for (int i = 0; i < QUERIES; i++)
			cr_expect(dq[i][k] == 0);
		for (int i = 0; i < PASSAGES; i++)
			cr_expect(dp[i][k] == 0);
	}
	static const int32_t one[2] = {0, 1};
	batch = (omt_loss_batch){.queries = 1,
	                         .passages = 1,
	                         .dimension = DIMENSION,
	                         .q = vectors[0],
	                         .p = vectors[1],
	                         .starts = one};
	cr_assert_eq(omt_loss(&options, &batch, &value, dq[0], dp[0], NULL), OMT_OK);
	cr_expect(value.loss == 0 && value.accuracy == 1 && value.masked == 0);
	cr_expect(dq[0][0] == 0 && dp[0][0] == 0);
}

/* A passage that no query is compared with has no gradient, one that is has; ties are lost. */
Test(loss, masked_pairs_have_no_gradient)
{
	static const float q[4] = {1, 0, 0, 1}, p[6] = {1, 0, 0.95f, 0.3122499f, 0, 1};
	static const int32_t at[3] = {0, 2, 3};
	omt_loss_options options = {
		.temperature = 0.5, .contrast = OMT_CONTRAST_OWN, .mask_margin = 0.1};
	const omt_loss_batch batch = {
		.queries = 2, .passages = 3, .dimension = 2, .q = q, .p = p, .starts = at};
	omt_loss_value value;
	float dp[6];
	cr_assert_eq(omt_loss(&options, &batch, &value, NULL, dp, NULL), OMT_OK);
	cr_expect(value.masked == 1 && value.loss == 0 && dp[2] == 0 && dp[3] == 0);
	options.mask_margin = 0.01;
	cr_assert_eq(omt_loss(&options, &batch, &value, NULL, dp, NULL), OMT_OK);
	cr_expect(value.masked == 0 && value.loss > 0 && dp[2] > 0);
	cr_expect_eq(value.accuracy, 1);
	static const float same[6] = {1, 0, 1, 0, 0, 1};
	omt_loss_batch tied = batch;
	tied.p = same;
	options.mask_margin = INFINITY;
	cr_assert_eq(omt_loss(&options, &tied, &value, NULL, NULL, NULL), OMT_OK);
	cr_expect_eq(value.accuracy, 0.5);
}

static void refused(const omt_loss_options *options, const omt_loss_batch *batch, omt_status status,
                    const char *text)
{
	float dq[QUERIES * DIMENSION], dp[PASSAGES * DIMENSION], kept[PASSAGES * DIMENSION];
	omt_loss_value value = {.loss = 5};
	omt_error err;
	memset(dq, 1, sizeof dq);
	memset(dp, 1, sizeof dp);
	memset(kept, 1, sizeof kept);
	cr_expect_eq(omt_loss(options, batch, &value, dq, dp, &err), status, "%s", err.text);
	cr_expect(strstr(err.text, text), "\"%s\" has no \"%s\"", err.text, text);
	cr_expect(!memcmp(dq, kept, sizeof dq) && !memcmp(dp, kept, sizeof dp));
	cr_expect_eq(value.loss, 5);
}

Test(loss, what_is_not_finite_is_named_and_nothing_written)
{
	const omt_loss_options options = {.temperature = 0.02, .mask_margin = 0.1};
	omt_loss_batch batch = make(5);
	vectors[3][2] = NAN;
	refused(&options, &batch, OMT_MISMATCH, "query 3 of the batch: its cosine to passage 0 is");
	make(5);
	vectors[QUERIES + 7][0] = INFINITY;
	refused(&options, &batch, OMT_MISMATCH, "query 0 of the batch: its cosine to passage 7 is");
	make(5);
	const omt_loss_options cold = {.temperature = 1e-310, .mask_margin = INFINITY};
	refused(&cold, &batch, OMT_MISMATCH, "query 0 of the batch: the loss is");
}

Test(loss, bad_arguments)
{
	omt_loss_options options = {.temperature = 0, .mask_margin = INFINITY};
	omt_loss_batch batch = make(5);
	refused(&options, &batch, OMT_BAD_ARGUMENT, "temperature 0");
	options.temperature = NAN;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "temperature");
	options.temperature = 1;
	options.mask_margin = NAN;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "mask_margin");
	options.mask_margin = 0;
	options.contrast = OMT_CONTRAST_COUNT;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "contrast 3");
	options.contrast = OMT_CONTRAST_BATCH;
	batch.passages = 11;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "starts 0 to 12 of 11 passages");
	static const int32_t empty[QUERIES + 1] = {0, 1, 1, 6, 11, 12};
	batch = make(5);
	batch.starts = empty;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "query 1 of the batch has no passage");
	batch.queries = 0;
	refused(&options, &batch, OMT_BAD_ARGUMENT, "a batch of 0 queries");
}
