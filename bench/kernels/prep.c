/* prep: preparation of media alone, for bench/peers/prep.py to set beside the reference's.
 *
 *     bench_prep image|audio|video CHECKPOINT FILE REPEATS
 *
 * One line of JSON: median milliseconds of REPEATS preparations on one thread. `decode_ms` is from
 * the file to RGB, frames or samples at 16 kHz, `prep_ms` from there to patches or log-mel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/median.h"
#include "prep/prep.h"

#define MAX_REPEATS 999

static omt_error err;
static omt_prep_config config;
static omt_limits limits;

static void check(omt_status status)
{
	if (status == OMT_OK)
		return;
	fprintf(stderr, "bench_prep: %s\n", err.text);
	exit(1);
}

/* Each prepares one file and returns the seconds of decoding. */
static double prepare_image(const char *path)
{
	omt_patches patches;
	check(omt_prep_image_file(&config, &limits, path, &patches, &err));
	free(patches.data);
	return patches.decode_s;
}

static double prepare_audio(const char *path)
{
	omt_mel mel;
	check(omt_prep_audio_file(&config, &limits, path, &mel, &err));
	free(mel.data);
	return mel.decode_s;
}

static double prepare_video(const char *path)
{
	omt_patches patches;
	check(omt_prep_video_file(&config, &limits, path, &patches, NULL, &err));
	free(patches.data);
	return patches.decode_s;
}

static const struct {
	const char *name;
	double (*prepare)(const char *path);
} kinds[] = {{"image", prepare_image}, {"audio", prepare_audio}, {"video", prepare_video}};

int main(int argc, char **argv)
{
	double decode_s[MAX_REPEATS], prep_s[MAX_REPEATS], all_s[MAX_REPEATS];
	double (*prepare)(const char *path) = NULL;
	int repeats = argc == 5 ? atoi(argv[4]) : 0;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds && repeats; i++)
		if (!strcmp(argv[1], kinds[i].name))
			prepare = kinds[i].prepare;
	if (!prepare || repeats < 1 || repeats > MAX_REPEATS)
		return fprintf(stderr, "bench_prep image|audio|video CHECKPOINT FILE REPEATS\n"), 2;
	check(omt_cpu_init(&err));
	omt_limits_init(&limits);
	check(omt_prep_config_load(argv[2], &config, &err));
	for (int r = -1; r < repeats; r++) {
		double begin = omt_now_s();
		double decode = prepare(argv[3]);
		if (r < 0)
			continue;
		all_s[r] = omt_now_s() - begin;
		decode_s[r] = decode;
		prep_s[r] = all_s[r] - decode;
	}
	size_t count = (size_t)repeats;
	printf("{\"kind\":\"%s\",\"cpu\":\"%s\",\"ms\":%.4f,\"decode_ms\":%.4f,\"prep_ms\":%.4f}\n",
	       argv[1], omt_cpu_name(omt_cpu_path()), 1e3 * omt_median(all_s, count),
	       1e3 * omt_median(decode_s, count), 1e3 * omt_median(prep_s, count));
	omt_prep_config_free(&config);
	return 0;
}
