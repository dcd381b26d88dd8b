/* smart_resize and the choice of frames against the reference's tables. */
#include "golden.h"
#include "prep/prep.h"

/* Compares with [height, width] or "error". A side of 0 stands where the reference only fails when
 * it resizes to it; here that is an error at once. */
static void check_size(const char *place, const json_t *line, const char *variant, bool processor)
{
	const json_t *wanted = json_object_get(line, variant);
	int32_t height = 0, width = 0;
	omt_status status = omt_smart_resize(
		golden_int(line, "h"), golden_int(line, "w"), 28, golden_int(line, "min_pixels"),
		golden_int(line, "max_pixels"), processor, &height, &width, NULL);
	json_int_t wanted_height = json_integer_value(json_array_get(wanted, 0));
	json_int_t wanted_width = json_integer_value(json_array_get(wanted, 1));
	if (!wanted_height || !wanted_width) {
		cr_expect_eq(status, OMT_LIMIT, "%s: %s", place, variant);
		return;
	}
	cr_expect_eq(status, OMT_OK, "%s: %s", place, variant);
	cr_expect_eq(height, wanted_height, "%s: %s", place, variant);
	cr_expect_eq(width, wanted_width, "%s: %s", place, variant);
}

static void check_sizes(const char *place, const json_t *line)
{
	check_size(place, line, "qwen_omni_utils", false);
	check_size(place, line, "hf", true);
}

Test(sampling, smart_resize)
{
	cr_assert_eq(golden_lines(DATA "tables/smart_resize.jsonl", check_sizes), 800);
}

static void check_indices(const char *place, const json_t *line, const char *key, omt_recipe recipe,
                          int32_t max_frames)
{
	const json_t *wanted = json_object_get(line, key);
	omt_clip_info info = {
		.total = golden_int(line, "total_frames"),
		.header_fps = json_number_value(json_object_get(line, "fps")),
	};
	omt_limits limits;
	int32_t *indices, count;
	omt_limits_init(&limits);
	limits.recipe = recipe;
	limits.max_frames = max_frames;
	omt_status status = omt_frame_indices(&limits, &info, &indices, &count, NULL);
	if (json_is_string(wanted)) {
		cr_expect_neq(status, OMT_OK, "%s: %s", place, key);
		return;
	}
	cr_assert_eq(status, OMT_OK, "%s: %s", place, key);
	cr_expect_eq((size_t)count, json_array_size(wanted), "%s: %s has %d", place, key, count);
	for (int32_t i = 0; i < count; i++)
		cr_expect_eq(indices[i], json_integer_value(json_array_get(wanted, (size_t)i)),
		             "%s: %s[%d] is %d", place, key, i, indices[i]);
	free(indices);
}

static void check_frames(const char *place, const json_t *line)
{
	check_indices(place, line, "card", OMT_RECIPE_CARD, 768);
	check_indices(place, line, "card_max64", OMT_RECIPE_CAP, 64);
	check_indices(place, line, "st", OMT_RECIPE_ST, 768);
	check_indices(place, line, "mteb16", OMT_RECIPE_MTEB16, 64);
}

Test(sampling, frames)
{
	cr_assert_eq(golden_lines(DATA "tables/frames.jsonl", check_frames), 25);
}

Test(sampling, refusals)
{
	omt_clip_info info = {.total = 100, .header_fps = 10};
	omt_limits limits;
	int32_t *indices, count, height, width;
	omt_error err;
	omt_limits_init(&limits);
	limits.max_frames = 63;
	cr_expect_eq(omt_frame_indices(&limits, &info, &indices, &count, &err), OMT_BAD_ARGUMENT);
	cr_expect(strstr(err.text, "63"), "%s", err.text);
	omt_limits_init(&limits);
	limits.fps = 0;
	cr_expect_eq(omt_frame_indices(&limits, &info, &indices, &count, &err), OMT_BAD_ARGUMENT);
	omt_limits_init(&limits);
	info.total = 1;
	cr_expect_eq(omt_frame_indices(&limits, &info, &indices, &count, &err), OMT_LIMIT);
	cr_expect_eq(omt_smart_resize(1, 20000, 28, 3136, 1e7, false, &height, &width, &err),
	             OMT_LIMIT);
	cr_expect(strstr(err.text, "20000 x 1"), "%s", err.text);
	cr_expect_eq(omt_smart_resize(0, 20, 28, 3136, 1e7, false, &height, &width, &err),
	             OMT_LIMIT);
}

/* A rate from time stamps counts only where it is asked for and known. */
Test(sampling, content_rate)
{
	omt_clip_info info = {.total = 100, .header_fps = 25, .content_fps = 10};
	omt_limits limits;
	int32_t *indices, count;
	omt_limits_init(&limits);
	cr_assert_eq(omt_frame_indices(&limits, &info, &indices, &count, NULL), OMT_OK);
	cr_expect_eq(count, 8);
	free(indices);
	limits.content_fps = true;
	cr_assert_eq(omt_frame_indices(&limits, &info, &indices, &count, NULL), OMT_OK);
	cr_expect_eq(count, 20);
	free(indices);
	info.content_fps = 0;
	cr_assert_eq(omt_frame_indices(&limits, &info, &indices, &count, NULL), OMT_OK);
	cr_expect_eq(count, 8);
	free(indices);
}
