/* Benchmark files: whatever they say, points open or every error is told. */
#include "bench/settings.h"
#include "tests/fuzz/input.h"

static void note(void *user, const char *text)
{
	(void)user;
	(void)text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const omt_progress progress = {.note = note};
	omt_bench_grid grid;
	omt_error err;
	if (omt_bench_grid_parse("fuzz.yaml", (const char *)data, size, &progress, &grid, &err) !=
	    OMT_OK)
		return 0;
	for (size_t i = 0; i < grid.points && i < 20; i++) {
		omt_bench_point point;
		if (omt_bench_point_open(&grid, grid.points - 1 - i, &point, &err) != OMT_OK)
			abort(); /* a grid that loaded has its points */
		omt_bench_point_free(&point);
	}
	omt_bench_grid_free(&grid);
	return 0;
}
