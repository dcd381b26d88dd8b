#include <math.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "prep/mel.h"

/* Hz of a mel value and back, on Slaney's scale: linear below 1000 Hz, logarithmic above. */
static double mel_of(double hertz)
{
	return hertz < 1000 ? 3 * hertz / 200 : 15 + log(hertz / 1000) * 27 / log(6.4);
}

static double hertz_of(double mel)
{
	return mel < 15 ? 200 * mel / 3 : 1000 * exp(log(6.4) / 27 * (mel - 15));
}

/* Triangles of equal area from 0 Hz to half the rate (transformers' mel_filter_bank, norm and scale
 * "slaney"). */
static omt_status make_filters(omt_prep_config *config, omt_error *err)
{
	int32_t bins = config->n_fft / 2 + 1, bands = config->mel_bins;
	double top = mel_of(config->rate_hz / 2.0);
	config->mel_filters = malloc((size_t)bins * (size_t)bands * sizeof(float));
	if (!config->mel_filters)
		return OMT_FAIL(err, NO_MEMORY, "%d mel filters", bands);
	for (int32_t band = 0; band < bands; band++) {
		double left = hertz_of(top * band / (bands + 1));
		double middle = hertz_of(top * (band + 1) / (bands + 1));
		double right = hertz_of(top * (band + 2) / (bands + 1));
		for (int32_t bin = 0; bin < bins; bin++) {
			double hertz = config->rate_hz / 2.0 * bin / (bins - 1);
			double rise = (hertz - left) / (middle - left);
			double fall = (right - hertz) / (right - middle);
			double height = rise < fall ? rise : fall;
			config->mel_filters[(size_t)bin * (size_t)bands + (size_t)band] =
				(float)(height > 0 ? height * 2 / (right - left) : 0);
		}
	}
	return OMT_OK;
}

static omt_status read_three(omt_json in, const char *key, float *values, omt_error *err)
{
	double three[3] = {values[0], values[1], values[2]};
	size_t count = 3;
	OMT_TRY(omt_json_reals(in, key, three, 3, &count, err));
	for (int i = 0; i < 3; i++)
		values[i] = (float)three[i];
	if (count != 3)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %s has %zu values, expected 3", in.place, key,
		                count);
	return OMT_OK;
}

static omt_status read_config(omt_json in, omt_prep_config *config, omt_error *err)
{
	omt_json size = {.place = in.place};
	/* Older and newer releases say the limits in two ways. */
	OMT_TRY(omt_json_member(in, "size", &size, err));
	if (size.object) {
		OMT_TRY(omt_json_int64(size, "shortest_edge", 1, 1 << 30, &config->min_pixels,
		                       err));
		OMT_TRY(omt_json_int64(size, "longest_edge", 1, 1 << 30, &config->max_pixels, err));
	}
	OMT_TRY(omt_json_int64(in, "min_pixels", 1, 1 << 30, &config->min_pixels, err));
	OMT_TRY(omt_json_int64(in, "max_pixels", 1, 1 << 30, &config->max_pixels, err));
	OMT_TRY(read_three(in, "image_mean", config->mean, err));
	OMT_TRY(read_three(in, "image_std", config->deviation, err));
	OMT_TRY(omt_json_int(in, "patch_size", 1, 256, &config->patch_size, err));
	OMT_TRY(omt_json_int(in, "temporal_patch_size", 1, 16, &config->temporal_patch_size, err));
	OMT_TRY(omt_json_int(in, "merge_size", 1, 16, &config->merge_size, err));
	OMT_TRY(omt_json_int(in, "feature_size", 1, 1024, &config->mel_bins, err));
	OMT_TRY(omt_json_int(in, "n_fft", 2, 4096, &config->n_fft, err));
	OMT_TRY(omt_json_int(in, "hop_length", 1, 4096, &config->hop, err));
	OMT_TRY(omt_json_int(in, "sampling_rate", 16000, 16000, &config->rate_hz, err));
	if (config->n_fft % 2 || config->min_pixels > config->max_pixels ||
	    !(config->deviation[0] > 0 && config->deviation[1] > 0 && config->deviation[2] > 0))
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: n_fft is odd, min_pixels above max_pixels, or image_std not "
		                "positive",
		                in.place);
	return OMT_OK;
}

omt_status omt_prep_config_load(const char *dir, omt_prep_config *config, omt_error *err)
{
	omt_status status;
	json_t *root = NULL;
	*config = (omt_prep_config){.mean = {0.48145466f, 0.4578275f, 0.40821073f},
	                            .deviation = {0.26862954f, 0.26130258f, 0.27577711f},
	                            .min_pixels = 56 * 56,
	                            .max_pixels = 28 * 28 * 1280,
	                            .patch_size = 14,
	                            .temporal_patch_size = 2,
	                            .merge_size = 2,
	                            .n_fft = 400,
	                            .hop = 160,
	                            .mel_bins = 128,
	                            .rate_hz = 16000};
	char *path = omt_path_join(dir, "preprocessor_config.json");
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", dir);
	OMT_GOTO(omt_json_load(path, (size_t)1 << 20, &root, err));
	if (!json_is_object(root)) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an object", path);
		goto done;
	}
	OMT_GOTO(read_config((omt_json){path, root}, config, err));
	OMT_GOTO(make_filters(config, err));
	OMT_GOTO(omt_mel_plan_make(config, &config->mel_plan, err));
done:
	json_decref(root);
	free(path);
	if (status != OMT_OK)
		omt_prep_config_free(config);
	return status;
}

void omt_prep_config_free(omt_prep_config *config)
{
	free(config->mel_filters);
	omt_mel_plan_free(config->mel_plan);
	config->mel_filters = NULL;
	config->mel_plan = NULL;
}
