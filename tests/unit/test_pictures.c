/* Decoded pictures and their pixel rows against PIL and the reference's image processor. */
#include <math.h>

#include "golden.h"
#include "media/media.h"
#include "prep/prep.h"

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);
	return length >= tail && !strcmp(text + length - tail, suffix);
}

/* The `*_hfload` cases: transformers' loader. */
static void case_limits(const json_t *line, omt_limits *limits)
{
	omt_limits_init(limits);
	limits->apply_exif = has_suffix(golden_text(line, "id"), "_hfload");
}

static void expect_crc(const char *place, const uint8_t *data, size_t bytes, const char *wanted)
{
	char crc[9];
	snprintf(crc, sizeof crc, "%08x", golden_crc32(data, bytes));
	cr_expect_str_eq(crc, wanted, "%s", place);
}

static int checked;

static void check_picture(const char *place, const json_t *line)
{
	const json_t *decoded = json_object_get(line, "decoded");
	const json_t *size = json_object_get(line, "resized_hw");
	omt_limits limits;
	omt_image image;
	omt_npy wanted;
	omt_error err;
	if (strcmp(golden_text(line, "modality"), "image"))
		return;
	case_limits(line, &limits);
	cr_assert_eq(omt_media_image(golden_file(line), &limits, &image, &err), OMT_OK, "%s",
	             err.text);
	if (decoded)
		expect_crc(place, image.data, (size_t)image.width * (size_t)image.height * 3,
		           golden_text(decoded, "rgb_crc32"));
	int32_t height = (int32_t)json_integer_value(json_array_get(size, 0));
	int32_t width = (int32_t)json_integer_value(json_array_get(size, 1));
	size_t bytes = (size_t)height * (size_t)width * 3;
	uint8_t *resized = malloc(bytes);
	cr_assert_eq(omt_resize_pil(image.data, image.height, image.width, 3, height, width,
	                            resized, NULL),
	             OMT_OK);
	if (golden_text(line, "resized_rgb_crc32"))
		expect_crc(place, resized, bytes, golden_text(line, "resized_rgb_crc32"));
	if (golden_array(golden_text(line, "resized_rgb"), &wanted)) {
		cr_assert_eq((size_t)wanted.count, bytes);
		cr_expect_arr_eq(resized, wanted.data, bytes, "%s", place);
		omt_npy_close(&wanted);
	}
	free(resized);
	free(image.data);
	checked++;
}

/* To the bit: JPEG (grey, CMYK, progressive), PNG (grey, palette, alpha), turned by EXIF. */
Test(pictures, decoded_and_resized)
{
	golden_lines(EXPECTED "cases.jsonl", check_picture);
	cr_assert_eq(checked, 15);
}

/* {"file", "card": {"size", "crc32"}, "hfload": the same} */
static void check_format(const char *place, const json_t *line)
{
	static const char *const loaders[] = {"card", "hfload"};
	char path[256];
	snprintf(path, sizeof path, DATA "pictures/%s", golden_text(line, "file"));
	for (size_t i = 0; i < 2; i++) {
		const json_t *wanted = json_object_get(line, loaders[i]);
		const json_t *size = json_object_get(wanted, "size");
		omt_limits limits;
		omt_image image;
		omt_kind kind;
		omt_error err;
		omt_limits_init(&limits);
		limits.apply_exif = i == 1;
		cr_assert_eq(omt_media_image(path, &limits, &image, &err), OMT_OK, "%s", err.text);
		cr_expect_eq(image.width, json_integer_value(json_array_get(size, 0)), "%s", path);
		cr_expect_eq(image.height, json_integer_value(json_array_get(size, 1)), "%s", path);
		expect_crc(path, image.data, (size_t)image.width * (size_t)image.height * 3,
		           golden_text(wanted, "crc32"));
		free(image.data);
		cr_expect_eq(omt_file_kind(path, &kind, &err), OMT_OK, "%s", err.text);
		cr_expect_eq(kind, OMT_IMAGE, "%s", place);
	}
}

/* Formats that the goldens do not have; data/pictures/make.py made them. */
Test(pictures, formats)
{
	cr_assert_eq(golden_lines(DATA "pictures/pictures.jsonl", check_format), 29);
}

Test(pictures, kinds)
{
	static const struct {
		const char *path;
		omt_kind kind;
	} files[] = {{DATA "inputs/img_cmyk_140x150.jpg", OMT_IMAGE},
	             {DATA "inputs/vid_vfr_6s.mkv", OMT_VIDEO},
	             {DATA "inputs/vid_mandel_av.mp4", OMT_VIDEO},
	             {DATA "inputs/aud_low_31s.flac", OMT_AUDIO},
	             {DATA "inputs/aud_u8_8k.wav", OMT_AUDIO}};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		omt_kind kind;
		omt_error err;
		cr_assert_eq(omt_file_kind(files[i].path, &kind, &err), OMT_OK, "%s", err.text);
		cr_expect_eq(kind, files[i].kind, "%s", files[i].path);
	}
}

static void check_rows(const char *place, const json_t *line)
{
	const json_t *pixels = json_object_get(line, "pixel_values");
	omt_prep_config config;
	omt_limits limits;
	omt_patches patches;
	omt_npy wanted;
	omt_error err;
	if (!golden_array(golden_text(pixels, "sample"), &wanted))
		return;
	case_limits(line, &limits);
	cr_assert_eq(omt_prep_config_load(DATA "tiny", &config, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_prep_image_file(&config, &limits, golden_file(line), &patches, &err),
	             OMT_OK, "%s", err.text);
	golden_check_rows(&config, place, line, "image_grid_thw", pixels, &patches, &wanted);
	free(patches.data);
	omt_npy_close(&wanted);
	omt_prep_config_free(&config);
	checked++;
}

Test(pictures, rows)
{
	golden_lines(EXPECTED "cases.jsonl", check_rows);
	cr_assert_eq(checked, 15);
}

static void expect_failure(const char *path, const omt_limits *limits, omt_status status,
                           const char *text)
{
	omt_image image;
	omt_error err;
	cr_expect_eq(omt_media_image(path, limits, &image, &err), status, "%s", err.text);
	cr_expect(strstr(err.text, path) && strstr(err.text, text), "%s", err.text);
	cr_expect_null(image.data);
}

Test(pictures, limits)
{
	omt_limits limits;
	omt_limits_init(&limits);
	limits.max_source_pixels = 640 * 480 - 1;
	expect_failure(DATA "inputs/img_big_640x480.jpg", &limits, OMT_LIMIT, "max_source_pixels");
	limits.max_source_pixels = 100;
	expect_failure(DATA "inputs/img_tiny_20x20.png", &limits, OMT_LIMIT, "max_source_pixels");
	omt_limits_init(&limits);
	limits.max_bytes = 100;
	expect_failure(DATA "inputs/img_tiny_20x20.png", &limits, OMT_LIMIT, "max_bytes");
	omt_limits_init(&limits);
	expect_failure(DATA "inputs/aud_speech_16k.wav", &limits, OMT_BAD_FORMAT, "no picture");
	expect_failure("no/such/file.png", &limits, OMT_IO, "No such file");
	expect_failure("tests", &limits, OMT_IO, "not a file");
}

/* Pixels of a picture of width x height. */
static int32_t fitted(const omt_prep_config *from, const omt_limits *limits, int32_t width,
                      int32_t height)
{
	uint8_t *data = calloc((size_t)width * (size_t)height, 3);
	const omt_image image = {width, height, data};
	omt_patches patches;
	omt_error err;
	cr_assert_eq(omt_prep_image(from, limits, &image, &patches, &err), OMT_OK, "%s", err.text);
	free(data);
	free(patches.data);
	return patches.h * patches.w * 14 * 14;
}

/* A page keeps its pixels where the checkpoint's limits would not let it, is enlarged to 768 tokens
 * and reduced to 2560; the user's limits go over both. */
Test(pictures, pages)
{
	omt_prep_config config;
	omt_limits limits;
	omt_error err;
	cr_assert_eq(omt_prep_config_load(DATA "tiny", &config, &err), OMT_OK, "%s", err.text);
	omt_limits_init(&limits);
	config.max_pixels = 64 * 28 * 28;
	cr_expect_leq(fitted(&config, &limits, 1120, 1400), 64 * 28 * 28);
	limits.page = true;
	cr_expect_eq(fitted(&config, &limits, 1120, 1400), 1120 * 1400);
	cr_expect_geq(fitted(&config, &limits, 224, 160), 768 * 28 * 28);
	cr_expect_leq(fitted(&config, &limits, 224, 160), 2 * 768 * 28 * 28);
	cr_expect_leq(fitted(&config, &limits, 2800, 3500), 2560 * 28 * 28);
	cr_expect_geq(fitted(&config, &limits, 2800, 3500), 2400 * 28 * 28);
	limits.image_max_pixels = 100 * 28 * 28;
	cr_expect_leq(fitted(&config, &limits, 1120, 1400), 100 * 28 * 28);
	cr_expect_gt(fitted(&config, &limits, 1120, 1400), 64 * 28 * 28);
	limits.image_min_pixels = 200 * 28 * 28;
	limits.image_max_pixels = 400 * 28 * 28;
	cr_expect_geq(fitted(&config, &limits, 112, 112), 200 * 28 * 28);
	omt_prep_config_free(&config);
}
