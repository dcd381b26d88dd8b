/* The three resizes against PIL's and torchvision's own results. */
#include <math.h>

#include "golden.h"
#include "prep/prep.h"

typedef struct sizes {
	int32_t height, width, out_height, out_width;
} sizes;

static const sizes all[] = {{120, 33, 112, 28},
                            {20, 20, 56, 56},
                            {30, 40, 28, 56},
                            {70, 98, 56, 112},
                            {48, 64, 280, 392}};

/* tables/resize/HxW_HxW.what.npy; false when it is not kept. */
static bool table(sizes s, const char *what, omt_npy *array)
{
	char name[128];
	snprintf(name, sizeof name, "../tables/resize/%dx%d_%dx%d.%s.npy", s.height, s.width,
	         s.out_height, s.out_width, what);
	return golden_array(name, array);
}

typedef omt_status resize_u8(const uint8_t *in, int32_t height, int32_t width, int32_t channels,
                             int32_t out_height, int32_t out_width, uint8_t *out, omt_error *err);

static void check_u8(const char *what, resize_u8 *resize, int at_least)
{
	int checked = 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		omt_npy in, wanted;
		if (!table(all[i], what, &wanted))
			continue;
		cr_assert(table(all[i], "in", &in));
		EACH_PATH(path)
		{
			uint8_t *out = malloc((size_t)wanted.count);
			cr_assert_eq(resize(in.data, all[i].height, all[i].width, 3,
			                    all[i].out_height, all[i].out_width, out, NULL),
			             OMT_OK);
			cr_expect_arr_eq(out, wanted.data, (size_t)wanted.count, "%s %zu, %s", what,
			                 i, omt_cpu_name(path));
			free(out);
		}
		omt_npy_close(&in);
		omt_npy_close(&wanted);
		checked++;
	}
	cr_assert_geq(checked, at_least);
}

Test(resize, pil_exact)
{
	check_u8("pil", omt_resize_pil, 5);
}

Test(resize, torchvision_u8_exact)
{
	check_u8("tv_u8_v2", omt_resize_u8, 5);
}

/* The f32 kernel itself, and rounded to 8 bits as torchvision v1 does. */
Test(resize, torchvision_f32)
{
	int checked = 0;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		omt_npy in, wanted, rounded;
		if (!table(all[i], "tv_f32", &wanted))
			continue;
		cr_assert(table(all[i], "in", &in) && table(all[i], "tv_u8_v1", &rounded));
		float *out = malloc((size_t)wanted.count * sizeof *out);
		const float *expected = wanted.data;
		float worst = 0;
		int differing = 0;
		cr_assert_eq(omt_resize_f32(in.data, all[i].height, all[i].width, 3,
		                            all[i].out_height, all[i].out_width, out, NULL),
		             OMT_OK);
		for (int64_t j = 0; j < wanted.count; j++) {
			float clamped = rintf(fminf(fmaxf(out[j], 0), 255));
			worst = fmaxf(worst, fabsf(out[j] - expected[j]));
			differing += clamped != ((const uint8_t *)rounded.data)[j];
		}
		cr_expect_leq(worst, 1e-4f, "table %zu: %g", i, (double)worst);
		cr_expect_eq(differing, 0, "table %zu: %d values", i, differing);
		free(out);
		omt_npy_close(&in);
		omt_npy_close(&wanted);
		omt_npy_close(&rounded);
		checked++;
	}
	cr_assert_eq(checked, 4);
}

Test(resize, same_size_is_a_copy)
{
	uint8_t in[2 * 3 * 3], out[2 * 3 * 3];
	float out_f32[18];
	for (int i = 0; i < 18; i++)
		in[i] = (uint8_t)(i * 14);
	cr_assert_eq(omt_resize_pil(in, 2, 3, 3, 2, 3, out, NULL), OMT_OK);
	cr_expect_arr_eq(in, out, sizeof in);
	memset(out, 0, sizeof out);
	cr_assert_eq(omt_resize_u8(in, 2, 3, 3, 2, 3, out, NULL), OMT_OK);
	cr_expect_arr_eq(in, out, sizeof in);
	cr_assert_eq(omt_resize_f32(in, 2, 3, 3, 2, 3, out_f32, NULL), OMT_OK);
	for (int i = 0; i < 18; i++)
		cr_expect_eq(out_f32[i], (float)in[i]);
}

/* A plain colour stays itself at every size and in every form: the weights sum to one. */
Test(resize, plain_colour)
{
	static const sizes shapes[] = {
		{1, 1, 28, 28}, {1, 200, 28, 5600}, {400, 3, 28, 28}, {57, 91, 28, 140}};
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		sizes s = shapes[i];
		size_t inside = (size_t)s.height * (size_t)s.width * 3;
		size_t outside = (size_t)s.out_height * (size_t)s.out_width * 3;
		uint8_t *in = malloc(inside), *out = malloc(outside), *pil = malloc(outside);
		int wrong = 0;
		memset(in, 255, inside);
		cr_assert_eq(omt_resize_u8(in, s.height, s.width, 3, s.out_height, s.out_width, out,
		                           NULL),
		             OMT_OK);
		cr_assert_eq(omt_resize_pil(in, s.height, s.width, 3, s.out_height, s.out_width,
		                            pil, NULL),
		             OMT_OK);
		for (size_t j = 0; j < outside; j++)
			wrong += (out[j] < 254) + (pil[j] != 255);
		cr_expect_eq(wrong, 0, "shape %zu: %d values", i, wrong);
		free(in);
		free(out);
		free(pil);
	}
}

static uint32_t random_state = 1;

static int32_t random_below(int32_t end)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (int32_t)(random_state >> 8) % end;
}

/* Every path gives the bits of the plainest way: a row, or a column, at a time. */
static void check_paths(const char *what, resize_u8 *resize, sizes s)
{
	size_t in_bytes = (size_t)s.height * (size_t)s.width * 3;
	size_t middle_bytes = (size_t)s.height * (size_t)s.out_width * 3;
	size_t bytes = (size_t)s.out_height * (size_t)s.out_width * 3;
	uint8_t *in = malloc(in_bytes), *middle = malloc(middle_bytes);
	uint8_t *wanted = malloc(bytes), *out = malloc(bytes);
	for (size_t i = 0; i < in_bytes; i++)
		in[i] = (uint8_t)random_below(256);
	omt_cpu_take(OMT_CPU_GENERIC);
	for (int32_t y = 0; y < s.height; y++)
		resize(in + (size_t)y * (size_t)s.width * 3, 1, s.width, 3, 1, s.out_width,
		       middle + (size_t)y * (size_t)s.out_width * 3, NULL);
	resize(middle, s.height, s.out_width, 3, s.out_height, s.out_width, wanted, NULL);
	EACH_PATH(path)
	{
		memset(out, 0, bytes);
		cr_assert_eq(resize(in, s.height, s.width, 3, s.out_height, s.out_width, out, NULL),
		             OMT_OK);
		cr_expect_arr_eq(out, wanted, bytes, "%s, %dx%d to %dx%d on %s", what, s.height,
		                 s.width, s.out_height, s.out_width, omt_cpu_name(path));
	}
	free(in);
	free(middle);
	free(wanted);
	free(out);
}

Test(resize, paths_give_the_same_bits)
{
	for (int i = 0; i < 60; i++) {
		sizes s = {1 + random_below(90), 1 + random_below(90), 1 + random_below(90),
		           1 + random_below(90)};
		check_paths("torchvision", omt_resize_u8, s);
		/* PIL takes the vertical pass first where it takes rows away. */
		s.out_height = s.height + random_below(60);
		check_paths("pil", omt_resize_pil, s);
	}
}

/* f32: every path gives the generic one's bits. */
Test(resize, f32_paths_give_the_same_bits)
{
	for (int i = 0; i < 30; i++) {
		sizes s = {1 + random_below(60), 1 + random_below(60), 1 + random_below(60),
		           1 + random_below(60)};
		size_t in_bytes = (size_t)s.height * (size_t)s.width * 3;
		size_t bytes = (size_t)s.out_height * (size_t)s.out_width * 3 * sizeof(float);
		uint8_t *in = malloc(in_bytes);
		float *wanted = malloc(bytes), *out = malloc(bytes);
		for (size_t j = 0; j < in_bytes; j++)
			in[j] = (uint8_t)random_below(256);
		omt_cpu_take(OMT_CPU_GENERIC);
		omt_resize_f32(in, s.height, s.width, 3, s.out_height, s.out_width, wanted, NULL);
		EACH_PATH(path)
		{
			memset(out, 0, bytes);
			cr_assert_eq(omt_resize_f32(in, s.height, s.width, 3, s.out_height,
			                            s.out_width, out, NULL),
			             OMT_OK);
			cr_expect_arr_eq(out, wanted, bytes, "%dx%d to %dx%d on %s", s.height,
			                 s.width, s.out_height, s.out_width, omt_cpu_name(path));
		}
		free(in);
		free(wanted);
		free(out);
	}
}
