#include "train/loss.h"

#include <math.h>
#include <stdlib.h>

/* Scores and their weights are matrices [queries, passages]; a pair's entry is at
 * query * passages + passage. */
typedef struct omt_pairs {
	const omt_loss_options *options;
	const omt_loss_batch *batch;
	double *scores;  /* cosines; of compared pairs alone */
	double *weights; /* d loss / d cosine */
	size_t *places;  /* of the pairs of one sum, the positive's first */
	double *terms;   /* exponentials of them */
	double loss;
	int64_t right, masked;
} omt_pairs;

static size_t place(const omt_pairs *pairs, int32_t query, int32_t passage)
{
	return (size_t)query * (size_t)pairs->batch->passages + (size_t)passage;
}

/* Partial sums of their own, added in one order, so that the compiler may use vectors. */
static double inner(const float *a, const float *b, int32_t count)
{
	enum { LANES = 8 };
	double sums[LANES] = {0}, sum = 0;
	int32_t i = 0;
	for (; i + LANES <= count; i += LANES)
		for (int32_t lane = 0; lane < LANES; lane++)
			sums[lane] += (double)a[i + lane] * (double)b[i + lane];
	for (int32_t lane = 0; lane < LANES; lane++)
		sum += sums[lane];
	for (; i < count; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

static bool is_own(const omt_loss_batch *batch, int32_t query, int32_t passage)
{
	return passage >= batch->starts[query] && passage < batch->starts[query + 1];
}

/* ---- which pairs count ----------------------------------------------------------------------- */

static omt_status check(const omt_loss_options *options, const omt_loss_batch *batch,
                        omt_error *err)
{
	if (!(options->temperature > 0) || !isfinite(options->temperature))
		return OMT_FAIL(err, BAD_ARGUMENT, "temperature %g: not above 0",
		                options->temperature);
	if (isnan(options->mask_margin))
		return OMT_FAIL(err, BAD_ARGUMENT, "mask_margin is not a number");
	if (options->contrast >= OMT_CONTRAST_COUNT)
		return OMT_FAIL(err, BAD_ARGUMENT, "contrast %d is not known",
		                (int)options->contrast);
	if (batch->queries < 1 || batch->dimension < 1)
		return OMT_FAIL(err, BAD_ARGUMENT, "a batch of %d queries, dimension %d",
		                batch->queries, batch->dimension);
	if (batch->starts[0] != 0 || batch->starts[batch->queries] != batch->passages)
		return OMT_FAIL(err, BAD_ARGUMENT, "starts %d to %d of %d passages",
		                batch->starts[0], batch->starts[batch->queries], batch->passages);
	for (int32_t i = 0; i < batch->queries; i++)
		if (batch->starts[i + 1] <= batch->starts[i])
			return OMT_FAIL(err, BAD_ARGUMENT, "query %d of the batch has no passage",
			                i);
	return OMT_OK;
}

static bool is_compared(const omt_pairs *pairs, int32_t query, int32_t passage, bool positive)
{
	const omt_contrast contrast = pairs->options->contrast;
	return contrast == OMT_CONTRAST_BATCH || is_own(pairs->batch, query, passage) ||
	       (positive && (contrast == OMT_CONTRAST_POSITIVES || pairs->options->symmetric));
}

/* Cosines of all pairs that any sum may want. */
static omt_status score(const omt_pairs *pairs, omt_error *err)
{
	const omt_loss_batch *batch = pairs->batch;
	for (int32_t i = 0; i < batch->queries; i++)
		for (int32_t j = 0, of = 0; j < batch->passages; j++) {
			of += j == batch->starts[of + 1]; /* whose passage it is */
			if (!is_compared(pairs, i, j, j == batch->starts[of]))
				continue;
			const double cosine = inner(batch->q + (size_t)i * (size_t)batch->dimension,
			                            batch->p + (size_t)j * (size_t)batch->dimension,
			                            batch->dimension);
			if (!isfinite(cosine))
				return OMT_FAIL(err, MISMATCH,
				                "query %d of the batch: its cosine to passage %d "
				                "is %g",
				                i, j, cosine);
			pairs->scores[place(pairs, i, j)] = cosine;
		}
	return OMT_OK;
}

/* Whether the passage answers the query, though it is not the positive that it is asked for. */
static bool is_relevant(const omt_loss_batch *batch, int32_t query, int32_t passage)
{
	const int32_t positive = batch->starts[query];
	return (batch->passage_ids &&
	        batch->passage_ids[passage] == batch->passage_ids[positive]) ||
	       (batch->relevant && batch->relevant(batch->user, query, passage));
}

/* Adds a pair to the sum of which `count` pairs are there already, unless it is masked. */
static size_t add_pair(omt_pairs *pairs, size_t count, int32_t query, int32_t passage)
{
	const size_t at = place(pairs, query, passage);
	const double margin = pairs->options->mask_margin;
	if ((pairs->options->mask_ids && is_relevant(pairs->batch, query, passage)) ||
	    (isfinite(margin) && pairs->scores[at] > pairs->scores[pairs->places[0]] - margin)) {
		pairs->masked++;
		return count;
	}
	pairs->places[count] = at;
	return count + 1;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* Cross entropy of the first pair among pairs->places[count], its share of the loss being `share`;
 * weights are added. True when the first has the greatest score. */
static bool add_entropy(omt_pairs *pairs, size_t count, double share)
{
	const double scale = 1 / pairs->options->temperature;
	const double first = pairs->scores[pairs->places[0]];
	double most = first, others = 0;
	bool right = true;
	for (size_t i = 1; i < count; i++) {
		most = fmax(most, pairs->scores[pairs->places[i]]);
		right = right && pairs->scores[pairs->places[i]] < first;
	}
	for (size_t i = 1; i < count; i++) {
		pairs->terms[i] = exp((pairs->scores[pairs->places[i]] - most) * scale);
		others += pairs->terms[i];
	}
	const double own = exp((first - most) * scale), all = own + others;
	/* Both ways are exact where a query is all but certain: log1p, and the positive's weight
	 * from the others' sum instead of 1 less its own. */
	const double entropy = own == 1 ? log1p(others) : (most - first) * scale + log(all);
	pairs->loss += share * entropy;
	pairs->weights[pairs->places[0]] -= share * scale * (others / all);
	for (size_t i = 1; i < count; i++)
		pairs->weights[pairs->places[i]] += share * scale * (pairs->terms[i] / all);
	return right;
}

/* A query against passages. */
static void add_query(omt_pairs *pairs, int32_t query, double share)
{
	const omt_loss_batch *batch = pairs->batch;
	const omt_contrast contrast = pairs->options->contrast;
	size_t count = 1;
	pairs->places[0] = place(pairs, query, batch->starts[query]);
	for (int32_t k = 0; k < batch->queries; k++) {
		if (contrast == OMT_CONTRAST_OWN && k != query)
			continue;
		const bool first_only = contrast == OMT_CONTRAST_POSITIVES && k != query;
		const int32_t end = first_only ? batch->starts[k] + 1 : batch->starts[k + 1];
		for (int32_t j = batch->starts[k]; j < end; j++)
			if (j != batch->starts[query])
				count = add_pair(pairs, count, query, j);
	}
	pairs->right += add_entropy(pairs, count, share);
}

/* A query's positive against queries. */
static void add_positive(omt_pairs *pairs, int32_t query, double share)
{
	const int32_t positive = pairs->batch->starts[query];
	size_t count = 1;
	pairs->places[0] = place(pairs, query, positive);
	for (int32_t k = 0; k < pairs->batch->queries; k++)
		if (k != query)
			count = add_pair(pairs, count, k, positive);
	add_entropy(pairs, count, share);
}

static omt_status add_all(omt_pairs *pairs, omt_error *err)
{
	const bool symmetric = pairs->options->symmetric;
	const double share = (symmetric ? 0.5 : 1) / pairs->batch->queries;
	OMT_TRY(score(pairs, err));
	for (int32_t i = 0; i < pairs->batch->queries; i++) {
		add_query(pairs, i, share);
		if (symmetric)
			add_positive(pairs, i, share);
		if (!isfinite(pairs->loss))
			return OMT_FAIL(err, MISMATCH,
			                "query %d of the batch: the loss is %g at a temperature "
			                "of %g",
			                i, pairs->loss, pairs->options->temperature);
	}
	return OMT_OK;
}

/* out[rows, dimension]: row r is the sum of from[c] by weights[r * by_row + c * by_column]. */
static void combine(const double *weights, size_t by_row, size_t by_column, const float *from,
                    int32_t rows, int32_t columns, int32_t dimension, double *sums, float *out)
{
	for (int32_t r = 0; r < rows; r++) {
		for (int32_t i = 0; i < dimension; i++)
			sums[i] = 0;
		for (int32_t c = 0; c < columns; c++) {
			const double weight = weights[(size_t)r * by_row + (size_t)c * by_column];
			const float *row = from + (size_t)c * (size_t)dimension;
			for (int32_t i = 0; weight != 0 && i < dimension; i++)
				sums[i] += weight * (double)row[i];
		}
		for (int32_t i = 0; i < dimension; i++)
			out[(size_t)r * (size_t)dimension + (size_t)i] = (float)sums[i];
	}
}

omt_status omt_loss(const omt_loss_options *options, const omt_loss_batch *batch,
                    omt_loss_value *value, float *dq, float *dp, omt_error *err)
{
	omt_status status = check(options, batch, err);
	if (status != OMT_OK)
		return status;
	const int32_t queries = batch->queries, passages = batch->passages;
	const int32_t dimension = batch->dimension;
	const size_t entries = (size_t)queries * (size_t)passages, most = (size_t)passages;
	double *sums = malloc((size_t)dimension * sizeof *sums);
	/* A sum has at most all passages, which are no fewer than the queries. */
	omt_pairs pairs = {.options = options,
	                   .batch = batch,
	                   .scores = calloc(entries, sizeof(double)),
	                   .weights = calloc(entries, sizeof(double)),
	                   .places = malloc(most * sizeof(size_t)),
	                   .terms = malloc(most * sizeof(double))};
	if (!sums || !pairs.scores || !pairs.weights || !pairs.places || !pairs.terms) {
		status = OMT_FAIL(err, NO_MEMORY, "a loss over %d queries and %d passages", queries,
		                  passages);
		goto done;
	}
	OMT_GOTO(add_all(&pairs, err));
	*value = (omt_loss_value){.loss = pairs.loss,
	                          .accuracy = (double)pairs.right / queries,
	                          .masked = pairs.masked};
	if (dq)
		combine(pairs.weights, most, 1, batch->p, queries, passages, dimension, sums, dq);
	if (dp)
		combine(pairs.weights, 1, most, batch->q, passages, queries, dimension, sums, dp);
done:
	free(sums);
	free(pairs.scores);
	free(pairs.weights);
	free(pairs.places);
	free(pairs.terms);
	return status;
}
