#include "tests/op/harness.h"

/* Two pictures of 8 bits and one of f32 in one buffer, patches of 3 x 3, in another order. */
static void check_patches(op_bench *bench)
{
	enum { SIDE = 3, WIDTH = 7, HEIGHT = 6, PIXELS = WIDTH * HEIGHT, ROWS = 5 };
	static const int32_t order[ROWS] = {3, 0, 4, 1, 2};
	/* The third picture begins at byte 2 * 3 * PIXELS = 252, f32 pixel 21. */
	enum { FLOATS = 2 * 3 * PIXELS / 12 };
	for (int32_t frames = 1; frames < 4; frames++) {
		int32_t places[ROWS * 5], *to = places;
		for (int32_t row = 0; row < ROWS; row++) {
			const bool floats = row > 2;
			for (int32_t t = 0; t < frames; t++)
				*to++ = floats ? FLOATS + row - 3 + (t ? WIDTH : 0)
				               : t % 2 * PIXELS + row % 2 * SIDE * WIDTH + row;
			*to++ = WIDTH;
			*to++ = floats ? OMT_F32 : OMT_U8;
		}
		omt_patches_args args = {.rows = ROWS, .frames = frames, .side = SIDE};
		args.ldo = 3 * frames * SIDE * SIDE + 2;
		uint8_t *pixels = op_bytes(bench, "pixels", 2 * 3 * PIXELS + 12 * PIXELS);
		for (int32_t i = 0; i < 2 * 3 * PIXELS; i++)
			pixels[i] = (uint8_t)(i * 37);
		float *floats = (float *)(void *)(pixels + 2 * 3 * PIXELS);
		for (int32_t i = 0; i < 3 * PIXELS; i++)
			floats[i] = op_random(bench);
		op_ints(bench, "order", order, ROWS);
		op_ints(bench, "places", places, (size_t)(to - places));
		op_floats(bench, "table", 3 * 256);
		op_floats(bench, "out", ROWS * (size_t)args.ldo);
		op_run(bench, OMT_OP_patches, &args, 1, 0);
	}
}

OP_TESTS(patches)
