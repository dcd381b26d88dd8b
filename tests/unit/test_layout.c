/* Windows, audio lengths and rotary sections against the reference's tables. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/layout.h"
#include "model/sample.h"

#define TABLES "tests/golden/data/tables/"

/* Calls check(line's object) for each line of a table. */
static void each_line(const char *path, size_t at_least, void (*check)(const json_t *line))
{
	omt_error err;
	char *text;
	size_t count = 0;
	cr_assert_eq(omt_file_read(path, 1 << 24, &text, NULL, &err), OMT_OK, "%s", err.text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), count++) {
		json_t *object;
		cr_assert_eq(omt_json_parse(path, line, strlen(line), &object, &err), OMT_OK);
		check(object);
		json_decref(object);
	}
	cr_assert_geq(count, at_least);
	free(text);
}

static int64_t at(const json_t *array, size_t i)
{
	return json_integer_value(json_array_get(array, i));
}

static void check_windows(const json_t *line)
{
	omt_vision_config config = {.patch = 14, .merge = 2, .window = 0};
	const json_t *index = json_object_get(line, "window_index"), *grid;
	const json_t *ends = json_object_get(line, "cu_window_seqlens");
	size_t g, cells = 0, window = 1;
	int64_t patches = 0;
	config.window = (int32_t)json_integer_value(json_object_get(line, "window_size"));
	json_array_foreach(json_object_get(line, "grid_thw"), g, grid)
	{
		int32_t t = (int32_t)at(grid, 0), h = (int32_t)at(grid, 1),
			w = (int32_t)at(grid, 2);
		size_t count = (size_t)(t * h * w / 4);
		omt_windows windows = {.order = malloc(count * sizeof(int32_t)),
		                       .ends = malloc(count * sizeof(int32_t))};
		omt_windows_fill(&config, t, h, w, &windows);
		for (size_t i = 0; i < count; i++)
			cr_assert_eq((int64_t)cells + windows.order[i], at(index, cells + i));
		for (int32_t i = 0; i < windows.count; i++, window++)
			cr_assert_eq(patches + windows.ends[i], at(ends, window));
		cells += count;
		patches += 4 * (int64_t)count;
		free(windows.order);
		free(windows.ends);
	}
	cr_assert_eq(cells, json_array_size(index));
	cr_assert_eq(window, json_array_size(ends));
}

Test(layout, windows)
{
	each_line(TABLES "windows.jsonl", 27, check_windows);
}

static void check_audio(const json_t *line)
{
	int32_t frames = (int32_t)json_integer_value(json_object_get(line, "mel_frames"));
	int64_t tokens = json_integer_value(json_object_get(line, "tokens"));
	cr_assert_eq(omt_audio_tokens(frames), tokens > 0 ? tokens : 0, "%d frames", frames);
}

Test(layout, audio_tokens)
{
	each_line(TABLES "audio_lengths.jsonl", 30, check_audio);
}

/* Each pair of a head takes the time, height or width row as mrope_section says. */
Test(layout, rotary_sections)
{
	omt_text_config config = {.head_dim = 16, .mrope_section = {2, 3, 3}, .rope_theta = 1e6};
	const int32_t positions[3] = {100, 7, 13}; /* one token: time, height, width */
	float cosines[8], sines[8];
	omt_rotary_text(&config, positions, 1, cosines, sines);
	for (int i = 0; i < 8; i++) {
		double angle = positions[i < 2 ? 0 : i < 5 ? 1 : 2] * pow(1e6, -i / 8.0);
		cr_assert_float_eq(cosines[i], cos(angle), 1e-5);
		cr_assert_float_eq(sines[i], sin(angle), 1e-5);
	}
}

/* The token that opens a chunk stays in it, wherever it lies (get_chunked_index). */
Test(layout, chunks)
{
	static const int32_t times[] = {0, 25, 49, 50, 75, 200, 225};
	static const int32_t ends[] = {3, 5, 6, 7};
	int32_t chunk = 1, from = 0;
	for (int i = 0; i < 4; i++) {
		from = omt_chunk_end(times, 7, from, 50, &chunk);
		cr_assert_eq(from, ends[i], "chunk %d ends at %d", i + 1, from);
	}
}
