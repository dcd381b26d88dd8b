/* prep: preparation of media alone, for bench/peers/prep.py to set beside the reference's.
 *
 *     bench_prep image|audio|video|card CHECKPOINT FILE REPEATS
 *
 * One line of JSON: median milliseconds of REPEATS preparations on one thread. `decode_ms` is from
 * the file to RGB, frames or samples at 16 kHz, `pixels_ms` from there to pictures of the encoder's
 * size or log-mel. What the reference's processors do, too, but here the device, is `patches_ms`:
 * 8-bit pixels to rows of normalised patches, from the transfer on, on PoCL held to one core (its
 * buffers are there already, as in the model). `prep_ms` are both, `ms` is all. `card` is a clip
 * by the model card's recipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/median.h"
#include "exec/exec.h"
#include "model/layout.h"
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

/* ---- the device's part ---------------------------------------------------------------------- */

static omt_exec *exec;
static omt_config model;

/* Room for one picture or clip; made when the first one comes. */
static struct {
	int32_t rows;
	int32_t *order, *places;
	omt_buffer *pixels, *device_order, *device_places, *table, *out;
} slot;

static omt_buffer *make(size_t bytes, const void *data)
{
	omt_buffer *buffer;
	check(omt_exec_alloc(exec, bytes, OMT_USAGE_SLOT, NULL, &buffer, &err));
	if (data)
		check(omt_exec_write(exec, buffer, 0, data, bytes, NULL, &err));
	check(omt_exec_wait(exec, 0, &err));
	return buffer;
}

static void slot_open(const omt_patches *patches)
{
	const size_t rows = (size_t)(patches->t * patches->h * patches->w);
	const size_t place = (size_t)model.vision.temporal_patch + 2;
	float table[3 * 256];
	setenv("POCL_MAX_PTHREAD_COUNT", "1", 1);
	check(omt_exec_open("opencl", &(omt_backend_options){0}, &exec, &err));
	slot.rows = (int32_t)rows;
	slot.order = malloc(rows * sizeof *slot.order);
	slot.places = malloc(rows * place * sizeof *slot.places);
	if (!slot.order || !slot.places)
		exit(1);
	for (int32_t i = 0; i < slot.rows; i++)
		slot.order[i] = i;
	omt_prep_pixel_table(&config, table);
	slot.pixels = make(omt_patches_bytes(&config, patches), NULL);
	slot.device_order = make(rows * sizeof *slot.order, slot.order);
	slot.device_places = make(rows * place * sizeof *slot.places, NULL);
	slot.table = make(sizeof table, table);
	slot.out = make(rows * (size_t)patches->row * sizeof(float), NULL);
}

/* The op `patches` on a picture or clip. */
static void cut(const omt_patches *patches)
{
	const size_t place = (size_t)model.vision.temporal_patch + 2;
	omt_places_fill(&model.vision, patches->t, patches->h, patches->w, patches->frames,
	                patches->floats ? OMT_F32 : OMT_U8, 0, slot.places);
	check(omt_exec_write(exec, slot.pixels, 0, patches->data,
	                     omt_patches_bytes(&config, patches), NULL, &err));
	check(omt_exec_write(exec, slot.device_places, 0, slot.places,
	                     (size_t)slot.rows * place * sizeof *slot.places, NULL, &err));
	check(OMT_RUN(exec, patches, &err, .pixels = slot.pixels, .order = slot.device_order,
	              .places = slot.device_places, .table = slot.table, .out = slot.out,
	              .rows = slot.rows, .frames = model.vision.temporal_patch,
	              .side = model.vision.patch, .ldo = patches->row));
	check(omt_exec_wait(exec, 0, &err));
}

/* ---- one preparation ------------------------------------------------------------------------ */

enum { DECODE, PIXELS, PATCHES, PREP, ALL, STAGES };
static const char *const stage_names[STAGES] = {"decode_ms", "pixels_ms", "patches_ms", "prep_ms",
                                                "ms"};

/* Cuts the patches of what took prepare_s, and frees them. */
static void finish_patches(omt_patches *patches, double prepare_s, double *seconds)
{
	if (!exec)
		slot_open(patches);
	double begin = omt_now_s();
	cut(patches);
	seconds[PATCHES] = omt_now_s() - begin;
	seconds[DECODE] = patches->decode_s;
	seconds[PIXELS] = prepare_s - patches->decode_s;
	free(patches->data);
}

/* Each prepares one file. */
static void prepare_image(const char *path, double *seconds)
{
	omt_patches patches;
	double begin = omt_now_s();
	check(omt_prep_image_file(&config, &limits, path, &patches, &err));
	finish_patches(&patches, omt_now_s() - begin, seconds);
}

static void prepare_audio(const char *path, double *seconds)
{
	omt_mel mel;
	double begin = omt_now_s();
	check(omt_prep_audio_file(&config, &limits, path, &mel, &err));
	seconds[DECODE] = mel.decode_s;
	seconds[PIXELS] = omt_now_s() - begin - mel.decode_s;
	seconds[PATCHES] = 0;
	free(mel.data);
}

static void prepare_video(const char *path, double *seconds)
{
	omt_patches patches;
	double begin = omt_now_s();
	check(omt_prep_video_file(&config, &limits, path, &patches, NULL, NULL, &err));
	finish_patches(&patches, omt_now_s() - begin, seconds);
}

static const struct {
	const char *name;
	omt_recipe recipe;
	void (*prepare)(const char *path, double *seconds);
} kinds[] = {{"image", OMT_RECIPE_CAP, prepare_image},
             {"audio", OMT_RECIPE_CAP, prepare_audio},
             {"video", OMT_RECIPE_CAP, prepare_video},
             {"card", OMT_RECIPE_CARD, prepare_video}};
#define KINDS (sizeof kinds / sizeof *kinds)

int main(int argc, char **argv)
{
	static double seconds[STAGES][MAX_REPEATS];
	int repeats = argc == 5 ? atoi(argv[4]) : 0;
	size_t kind = 0;
	while (kind < KINDS && repeats && strcmp(argv[1], kinds[kind].name) != 0)
		kind++;
	if (kind == KINDS || repeats < 1 || repeats > MAX_REPEATS)
		return fprintf(stderr,
		               "bench_prep image|audio|video|card CHECKPOINT FILE REPEATS\n"),
		       2;
	check(omt_cpu_init(&err));
	omt_limits_init(&limits);
	limits.recipe = kinds[kind].recipe;
	check(omt_prep_config_load(argv[2], &config, &err));
	check(omt_config_load(argv[2], &model, &err));
	for (int r = -1; r < repeats; r++) {
		double once[STAGES];
		kinds[kind].prepare(argv[3], once);
		once[PREP] = once[PIXELS] + once[PATCHES];
		once[ALL] = once[DECODE] + once[PREP];
		for (int s = 0; s < STAGES && r >= 0; s++)
			seconds[s][r] = once[s];
	}
	printf("{\"kind\":\"%s\",\"cpu\":\"%s\"", argv[1], omt_cpu_name(omt_cpu_path()));
	for (int s = 0; s < STAGES; s++)
		printf(",\"%s\":%.4f", stage_names[s],
		       1e3 * omt_median(seconds[s], (size_t)repeats));
	printf("}\n");
	if (exec)
		omt_exec_close(exec);
	omt_config_free(&model);
	omt_prep_config_free(&config);
	return 0;
}
