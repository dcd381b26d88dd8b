/* omt_verify(): an engine against a folder of expected values. Each case is read from its files
 * and, where the folder has them, from the tensors that the reference decoded: the first has to
 * reach the tolerance where decoding is lossless and the stated cosine elsewhere, the second the
 * tolerance. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/engine_private.h"
#include "model/verify_case.h"

typedef struct omt_verifier {
	omt_engine *engine;
	const omt_model *model;
	void (*line)(void *user, bool passed, const char *text);
	void *user;
	omt_verify_counts counts;
	const omt_case *now;
	float *vector;
} omt_verifier;

OMT_PRINTF(3, 4)
static void report(omt_verifier *v, bool passed, const char *format, ...)
{
	char text[640];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	v->counts.passed += passed;
	v->counts.failed += !passed;
	if (v->line)
		v->line(v->user, passed, text);
}

/* Largest absolute difference; NaN counts as infinite. */
static double largest_difference(const float *a, const float *b, int64_t count)
{
	double most = 0;
	for (int64_t i = 0; i < count; i++) {
		double difference = fabs((double)a[i] - (double)b[i]);
		if (!(difference <= most))
			most = isnan(difference) ? (double)INFINITY : difference;
	}
	return most;
}

static double cosine(const float *a, const float *b, int64_t count)
{
	double ab = 0, aa = 0, bb = 0;
	for (int64_t i = 0; i < count; i++) {
		ab += (double)a[i] * (double)b[i];
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
	}
	return ab / sqrt(aa * bb);
}

/* ---- exact integers ------------------------------------------------------------------------ */

static omt_status compare_ints(omt_verifier *v, const char *key, const int32_t *ours, int64_t count,
                               omt_error *err)
{
	omt_npy array;
	bool present;
	OMT_TRY(omt_case_array(v->now, key, &array, &present, err));
	if (!present)
		return OMT_OK;
	int64_t differ = -1;
	if (array.type != 'i' || array.count != count)
		differ = 0;
	for (int64_t i = 0; differ < 0 && i < count; i++)
		if (((const int32_t *)array.data)[i] != ours[i])
			differ = i;
	if (differ < 0)
		report(v, true, "%s %s: %lld equal", v->now->id, key, (long long)count);
	else
		report(v, false, "%s %s: %lld expected, %lld made, first difference at %lld",
		       v->now->id, key, (long long)array.count, (long long)count,
		       (long long)differ);
	omt_npy_close(&array);
	return OMT_OK;
}

/* image_grid_thw, video_grid_thw: [[t, h, w], ...] of the segments of one kind. */
static void compare_grids(omt_verifier *v, const omt_sample *sample, const char *key, omt_kind kind)
{
	const json_t *grids = json_object_get(v->now->in.object, key);
	size_t grid = 0;
	bool equal = true;
	if (!grids)
		return;
	for (size_t i = 0; i < sample->segment_count; i++) {
		const omt_segment *segment = &sample->segments[i];
		if (segment->kind != kind)
			continue;
		const json_t *thw = json_array_get(grids, grid++);
		equal &= json_integer_value(json_array_get(thw, 0)) == segment->patches.t &&
		         json_integer_value(json_array_get(thw, 1)) == segment->patches.h &&
		         json_integer_value(json_array_get(thw, 2)) == segment->patches.w;
	}
	equal &= grid == json_array_size(grids);
	report(v, equal, "%s %s: %zu grids %s", v->now->id, key, grid, equal ? "equal" : "differ");
}

static void compare_mel_frames(omt_verifier *v, const omt_sample *sample)
{
	const json_t *frames = json_object_get(v->now->in.object, "mel_frames");
	size_t sound = 0;
	bool equal = true;
	if (!frames)
		return;
	for (size_t i = 0; i < sample->segment_count; i++)
		if (sample->segments[i].mel.data)
			equal &= json_integer_value(json_array_get(frames, sound++)) ==
			         sample->segments[i].mel.frames;
	equal &= sound == json_array_size(frames);
	report(v, equal, "%s mel_frames: %zu sounds %s", v->now->id, sound,
	       equal ? "equal" : "differ");
}

/* ---- stages -------------------------------------------------------------------------------- */

/* Golden convolutions are [chunk][channel][time], zero-filled after a short chunk's end; ours are
 * packed [time][channel]. */
static double convolution_difference(const omt_npy *golden, const float *ours, int32_t rows)
{
	double most = 0;
	const float *expected = golden->data;
	int64_t channels = golden->shape[1], times = golden->shape[2];
	for (int64_t row = 0; row < rows; row++)
		for (int64_t channel = 0; channel < channels; channel++) {
			int64_t at = (row / times * channels + channel) * times + row % times;
			double difference = largest_difference(&expected[at],
			                                       &ours[row * channels + channel], 1);
			most = difference > most ? difference : most;
		}
	return most;
}

static void compare_stage(void *user, const char *name, const float *data, int32_t rows,
                          int32_t cols)
{
	omt_verifier *v = user;
	const json_t *stages = json_object_get(v->now->in.object, "stages");
	const char *file = json_string_value(json_object_get(stages, name));
	omt_npy array;
	omt_error err;
	if (!file)
		return;
	char *path = omt_path_join(v->now->dir, file);
	if (!path || omt_npy_open(path, &array, &err) != OMT_OK) {
		report(v, false, "%s stage %s: %s", v->now->id, name,
		       path ? err.text : "no memory");
		free(path);
		return;
	}
	free(path);
	bool packed = array.dims == 3;
	int64_t chunks = packed ? (rows + array.shape[2] - 1) / array.shape[2] : 0;
	bool fits =
		array.type == 'f' && (packed ? array.shape[0] == chunks && array.shape[1] == cols
	                                     : array.count == (int64_t)rows * cols);
	double most = INFINITY;
	if (fits)
		most = packed ? convolution_difference(&array, data, rows)
		              : largest_difference(array.data, data, array.count);
	report(v, most <= v->now->hidden_abs,
	       "%s stage %s [%d, %d]: max abs difference %.2e <= %.0e", v->now->id, name, rows,
	       cols, most, v->now->hidden_abs);
	omt_npy_close(&array);
}

/* ---- a case -------------------------------------------------------------------------------- */

static omt_status run_sample(omt_verifier *v, const omt_sample *sample, bool stages, omt_error *err)
{
	omt_tap tap = {compare_stage, v};
	return omt_engine_forward(v->engine, sample, 1, stages ? &tap : NULL, v->vector, err);
}

static omt_status compare_vector(omt_verifier *v, const char *from, bool strict, omt_error *err)
{
	omt_npy golden;
	bool present;
	int64_t dimension = omt_model_dimension(v->model);
	OMT_TRY(omt_case_array(v->now, "embedding", &golden, &present, err));
	if (!present)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no embedding", v->now->in.place);
	if (golden.type != 'f' || golden.count != dimension) {
		report(v, false, "%s embedding from %s: %lld values expected, %lld made",
		       v->now->id, from, (long long)golden.count, (long long)dimension);
	} else {
		double most = largest_difference(golden.data, v->vector, dimension);
		double close = cosine(golden.data, v->vector, dimension);
		bool passed = strict ? most <= v->now->embedding_abs : close >= v->now->cosine_min;
		report(v, passed,
		       strict ? "%s embedding from %s: max abs difference %.2e <= %.0e (cosine "
		                "%.8f)"
		              : "%s embedding from %s: max abs difference %.2e (%.0e not asked), "
		                "cosine %.8f",
		       v->now->id, from, most, v->now->embedding_abs, close);
	}
	omt_npy_close(&golden);
	return OMT_OK;
}

static omt_status check_files(omt_verifier *v, bool stages, omt_error *err)
{
	omt_sample sample;
	omt_item item = omt_case_item(v->now);
	OMT_TRY(omt_sample_make(v->model, &item, v->engine->options.max_tokens, &sample, err));
	omt_status status = OMT_OK;
	OMT_GOTO(compare_ints(v, "input_ids", sample.ids, sample.tokens, err));
	OMT_GOTO(
		compare_ints(v, "position_ids", sample.positions, 3 * (int64_t)sample.tokens, err));
	compare_grids(v, &sample, "image_grid_thw", OMT_IMAGE);
	compare_grids(v, &sample, "video_grid_thw", OMT_VIDEO);
	compare_mel_frames(v, &sample);
	OMT_GOTO(run_sample(v, &sample, stages, err));
	OMT_GOTO(compare_vector(v, "files", v->now->lossless, err));
done:
	omt_sample_free(&sample);
	return status;
}

/* Stages are compared from the decoded tensors where there are any. */
static omt_status check_case(omt_verifier *v, omt_error *err)
{
	omt_sample sample;
	bool decoded;
	OMT_TRY(omt_case_decoded(v->model, v->now, &sample, &decoded, err));
	omt_status status = check_files(v, !decoded, err);
	if (status == OMT_OK && decoded) {
		status = run_sample(v, &sample, true, err);
		if (status == OMT_OK)
			status = compare_vector(v, "decoded tensors", true, err);
	}
	if (decoded)
		omt_sample_free(&sample);
	return status;
}

static void check_line(omt_verifier *v, const char *dir, const char *root, const char *place,
                       const char *text, size_t bytes)
{
	omt_case now;
	omt_error err = {0};
	json_t *object = NULL;
	omt_status status = omt_json_parse(place, text, bytes, &object, &err);
	if (status == OMT_OK)
		status = omt_case_read((omt_json){place, object}, dir, root, &now, &err);
	if (status == OMT_OK) {
		v->now = &now;
		status = check_case(v, &err);
		if (status != OMT_OK)
			report(v, false, "%s: %s", now.id, err.text);
		v->now = NULL;
		omt_case_free(&now);
	} else {
		report(v, false, "%s", err.text);
	}
	json_decref(object);
}

omt_status omt_verify(omt_engine *engine, const char *dir,
                      void (*line)(void *user, bool passed, const char *text), void *user,
                      omt_verify_counts *counts, omt_error *err)
{
	omt_status status = OMT_OK;
	char *text = NULL, *place = NULL;
	size_t bytes = 0, number = 1;
	omt_verifier v = {.engine = engine, .model = engine->model, .line = line, .user = user};
	char *path = omt_path_join(dir, "cases.jsonl"), *root = omt_path_join(dir, "..");
	v.vector = malloc((size_t)omt_model_dimension(v.model) * sizeof *v.vector);
	*counts = (omt_verify_counts){0};
	if (!path || !root || !v.vector) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	OMT_GOTO(omt_file_read(path, (size_t)1 << 30, &text, &bytes, err));
	place = malloc(strlen(path) + 32);
	if (!place) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", dir);
		goto done;
	}
	for (char *at = text, *end; at < text + bytes; at = end + 1, number++) {
		end = memchr(at, '\n', (size_t)(text + bytes - at));
		if (!end)
			end = text + bytes;
		sprintf(place, "%s:%zu", path, number);
		if (end > at)
			check_line(&v, dir, root, place, at, (size_t)(end - at));
	}
	*counts = v.counts;
	if (!counts->passed && !counts->failed)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no cases", path);
done:
	free(v.vector);
	free(place);
	free(text);
	free(root);
	free(path);
	return status;
}
