#include "train/optimiser.h"

#include <math.h>
#include <stdatomic.h>

#include "base/parallel.h"

/* ---- schedule -------------------------------------------------------------------------------- */

static double share_constant(double progress)
{
	(void)progress;
	return 1;
}

static double share_linear(double progress)
{
	return 1 - progress;
}

static double share_cosine(double progress)
{
	return (1 + cos(acos(-1) * progress)) / 2;
}

static double (*const shares[OMT_SCHEDULE_COUNT])(double progress) = {
	[OMT_SCHEDULE_CONSTANT] = share_constant,
	[OMT_SCHEDULE_LINEAR] = share_linear,
	[OMT_SCHEDULE_COSINE] = share_cosine,
};

double omt_optimiser_rate(const omt_optimiser_options *options, int64_t step)
{
	if (step < options->warmup)
		return options->lr * (double)(step + 1) / (double)options->warmup;
	const double left = (double)(options->steps - options->warmup);
	const double progress = left > 0 ? fmin((double)(step - options->warmup) / left, 1) : 1;
	const double share = shares[options->schedule](progress);
	return options->lr * (options->lr_end + (1 - options->lr_end) * share);
}

/* ---- clipping -------------------------------------------------------------------------------- */

double omt_gradient_norm(const float *gradients, size_t count)
{
	enum { LANES = 8 };
	double sums[LANES] = {0}, sum = 0;
	size_t i = 0;
	for (; i + LANES <= count; i += LANES)
		for (size_t lane = 0; lane < LANES; lane++)
			sums[lane] += (double)gradients[i + lane] * (double)gradients[i + lane];
	for (size_t lane = 0; lane < LANES; lane++)
		sum += sums[lane];
	for (; i < count; i++)
		sum += (double)gradients[i] * (double)gradients[i];
	return sqrt(sum);
}

/* Squares of floats cannot overflow a double's sum: an element is not finite itself. */
static omt_status refuse(const omt_trainable *trainable, const float *gradients, omt_error *err)
{
	for (size_t i = 0; i < trainable->part_count; i++) {
		const omt_trainable_part *part = &trainable->parts[i];
		for (size_t j = 0; j < part->count; j++)
			if (!isfinite(gradients[part->at + j]))
				return OMT_FAIL(err, MISMATCH,
				                "the gradient of %s is %g at element %zu",
				                part->name, (double)gradients[part->at + j], j);
	}
	return OMT_FAIL(err, MISMATCH, "a gradient is not finite");
}

/* ---- a step ---------------------------------------------------------------------------------- */

typedef struct omt_moving {
	const omt_trainable *trainable;
	const float *gradients;
	float *first, *second;
	double scale; /* of gradients, by clipping */
	double beta1, beta2, eps;
	double rate, correction; /* rate over the first moment's correction; root of the second's */
	double kept;             /* of values that decay */
	atomic_size_t *spoiled;  /* number of a part that has a value without bounds, + 1 */
} omt_moving;

static void move_part(void *user, size_t number)
{
	const omt_moving *moving = user;
	const omt_trainable_part *part = &moving->trainable->parts[number];
	const double kept = part->decay ? moving->kept : 1;
	int spoiled = 0;
	for (size_t i = part->at; i < part->at + part->count; i++) {
		const double gradient = moving->scale * (double)moving->gradients[i];
		const double mean =
			moving->beta1 * (double)moving->first[i] + (1 - moving->beta1) * gradient;
		const double square = moving->beta2 * (double)moving->second[i] +
		                      (1 - moving->beta2) * gradient * gradient;
		const double size = sqrt(square) / moving->correction + moving->eps;
		const double value = kept * (double)moving->trainable->values[i];
		moving->first[i] = (float)mean;
		moving->second[i] = (float)square;
		const float moved = (float)(value - moving->rate * mean / size);
		moving->trainable->values[i] = moved;
		spoiled |= !isfinite(moved) | !isfinite(moving->second[i]);
	}
	if (spoiled)
		atomic_store(moving->spoiled, number + 1);
}

omt_status omt_optimiser_step(const omt_optimiser_options *options, int64_t step,
                              omt_trainable *trainable, const float *gradients, float *first,
                              float *second, int32_t threads, double *norm, omt_error *err)
{
	*norm = omt_gradient_norm(gradients, trainable->count);
	if (!isfinite(*norm))
		return refuse(trainable, gradients, err);
	const double rate = omt_optimiser_rate(options, step), count = (double)(step + 1);
	atomic_size_t spoiled = 0;
	omt_moving moving = {
		.trainable = trainable,
		.gradients = gradients,
		.first = first,
		.second = second,
		.scale = options->clip > 0 ? fmin(options->clip / (*norm + 1e-6), 1) : 1,
		.beta1 = options->beta1,
		.beta2 = options->beta2,
		.eps = options->eps,
		.rate = rate / (1 - pow(options->beta1, count)),
		.correction = sqrt(1 - pow(options->beta2, count)),
		.kept = 1 - rate * options->weight_decay,
		.spoiled = &spoiled,
	};
	omt_parallel(threads, trainable->part_count, move_part, &moving);
	if (spoiled)
		return OMT_FAIL(err, MISMATCH, "%s has grown out of bounds at a rate of %g",
		                trainable->parts[spoiled - 1].name, rate);
	return OMT_OK;
}
