/* Which frames of a clip and which size of a picture: integer rules with the reference's rounding.
 */
#include <math.h>
#include <stdlib.h>

#include "prep/prep.h"

#define MAX_RATIO 200

omt_status omt_smart_resize(int32_t height, int32_t width, int32_t factor, double min_pixels,
                            double max_pixels, bool processor, int32_t *out_height,
                            int32_t *out_width, omt_error *err)
{
	double h = height, w = width, pixels = h * w;
	double ratio = height > width ? h / w : w / h;
	if (height < 1 || width < 1 || ratio > MAX_RATIO)
		return OMT_FAIL(err, LIMIT, "%d x %d pixels: an aspect ratio of more than %d",
		                width, height, MAX_RATIO);
	if (processor && (height < factor || width < factor))
		return OMT_FAIL(err, LIMIT, "%d x %d pixels: a side is below %d", width, height,
		                factor);
	/* Python's round(): half to even, which is rint() in the default mode. */
	double h_bar = rint(h / factor) * factor, w_bar = rint(w / factor) * factor;
	if (!processor) {
		h_bar = h_bar < factor ? factor : h_bar;
		w_bar = w_bar < factor ? factor : w_bar;
	}
	if (h_bar * w_bar > max_pixels) {
		double beta = sqrt(pixels / max_pixels);
		h_bar = floor(h / beta / factor) * factor;
		w_bar = floor(w / beta / factor) * factor;
	} else if (h_bar * w_bar < min_pixels) {
		double beta = sqrt(min_pixels / pixels);
		h_bar = ceil(h * beta / factor) * factor;
		w_bar = ceil(w * beta / factor) * factor;
	}
	/* Of a long narrow picture the reference makes one of no height, and fails later. */
	if (h_bar < factor || w_bar < factor || h_bar * w_bar > (double)(1 << 30))
		return OMT_FAIL(err, LIMIT, "%d x %d pixels do not fit %.0f to %.0f pixels", width,
		                height, min_pixels, max_pixels);
	*out_height = (int32_t)h_bar;
	*out_width = (int32_t)w_bar;
	return OMT_OK;
}

static int32_t even_floor(double value)
{
	return (int32_t)floor(value / 2) * 2;
}

/* round(torch.linspace(0, last, count)): steps in f32, from both ends to the middle. */
static void spread(int32_t last, int32_t count, int32_t *indices)
{
	float step = count > 1 ? (float)last / (float)(count - 1) : 0;
	for (int32_t i = 0; i < count; i++) {
		float at = i < count / 2 ? step * (float)i
		                         : (float)last - step * (float)(count - i - 1);
		indices[i] = (int32_t)rintf(at);
	}
}

static int32_t frame_count(const omt_limits *limits, const omt_clip_info *info)
{
	double fps =
		limits->content_fps && info->content_fps > 0 ? info->content_fps : info->header_fps;
	double wanted = info->total / fps * limits->fps;
	int32_t most = limits->max_frames < info->total ? limits->max_frames : info->total;
	int32_t least = (limits->min_frames + 1) / 2 * 2;
	most = even_floor(most);
	wanted = wanted < least ? least : wanted;
	wanted = wanted > most ? most : wanted;
	wanted = wanted > info->total ? info->total : wanted;
	return even_floor(wanted);
}

typedef struct omt_cut {
	double score;
	int32_t frame;
} omt_cut;

static int by_strength(const void *a, const void *b)
{
	const omt_cut *x = a, *y = b;
	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static int by_time(const void *a, const void *b)
{
	const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return x < y ? -1 : x > y;
}

/* The place of the nearest frame that no cut has taken, the earlier of two; the first stays. */
static int32_t nearest_place(const int32_t *indices, const bool *taken, int32_t count,
                             int32_t frame)
{
	int32_t best = -1;
	for (int32_t i = 1; i < count; i++)
		if (!taken[i] && (best < 0 || abs(indices[i] - frame) < abs(indices[best] - frame)))
			best = i;
	return best;
}

omt_status omt_frame_scenes(const omt_limits *limits, const double *scores, int32_t total,
                            int32_t *indices, int32_t count, omt_error *err)
{
	int32_t found = 0;
	omt_cut *cuts = malloc(((size_t)total + 1) * sizeof *cuts);
	bool *taken = calloc((size_t)count + 1, sizeof *taken);
	for (int32_t i = 1; cuts && i < total; i++)
		if (scores[i] >= limits->scene_threshold)
			cuts[found++] = (omt_cut){scores[i], i};
	if (cuts && taken) {
		qsort(cuts, (size_t)found, sizeof *cuts, by_strength);
		for (int32_t i = 0; i < found && i < count - 1; i++) {
			const int32_t place = nearest_place(indices, taken, count, cuts[i].frame);
			indices[place] = cuts[i].frame;
			taken[place] = true;
		}
		qsort(indices, (size_t)count, sizeof *indices, by_time);
	}
	const bool done = cuts && taken;
	free(cuts);
	free(taken);
	return done ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "cuts of %d frames", total);
}

omt_status omt_frame_indices(const omt_limits *limits, const omt_clip_info *info, int32_t **given,
                             int32_t *count, omt_error *err)
{
	*given = NULL;
	if (!(limits->fps > 0) || limits->max_frames < 2 || limits->max_frames % 2)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "fps %g and max_frames %d: expected a positive rate and an even "
		                "number",
		                limits->fps, limits->max_frames);
	if (limits->recipe == OMT_RECIPE_MTEB16) {
		int32_t stride = info->total / 16 > 1 ? info->total / 16 : 1;
		*count = (info->total + stride - 1) / stride;
		*count = *count > 16 ? 16 : *count;
	} else {
		*count = frame_count(limits, info);
	}
	if (*count < (limits->recipe == OMT_RECIPE_MTEB16 ? 1 : 2))
		return OMT_FAIL(err, LIMIT, "a clip of %d frames is too short", info->total);
	int32_t *indices = malloc((size_t)*count * sizeof *indices);
	if (!indices)
		return OMT_FAIL(err, NO_MEMORY, "%d frames", *count);
	for (int32_t i = 0; i < *count; i++)
		indices[i] = limits->recipe == OMT_RECIPE_MTEB16
		                     ? i * (info->total / 16 > 1 ? info->total / 16 : 1)
		                     : (int32_t)((int64_t)i * info->total / *count);
	if (limits->recipe == OMT_RECIPE_CARD || limits->recipe == OMT_RECIPE_CAP)
		spread(info->total - 1, *count, indices);
	*given = indices;
	return OMT_OK;
}
