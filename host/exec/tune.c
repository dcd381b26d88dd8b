/* omt_tune: for each class a search over tiles, from what the device uses now.
 *
 * A candidate is built, checked against the results of the tiles in use, then raced against the
 * best so far: every timed call in turn with one and the other, so that a slow moment of the
 * machine hits both. It is dropped as soon as it is clearly slower. First the shipped tiles of all
 * devices race, then one parameter at a time walks away from its value while that wins (coordinate
 * descent). */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/median.h"
#include "exec/device_entry.h"
#include "exec/tune_work.h"

#define REPEATS    7
#define WINS       1.02 /* times as fast as the best so far: above the noise of a median */
#define MAX_TRIED  256
#define MAX_STARTS 32
#define SWEEPS     3
#define SECONDS    900.0 /* in all, unless the caller says */
#define QUICK_S    20.0

/* Slower than this after so many repeats is hopeless. */
static const double hopeless[REPEATS] = {0.85, 0.92, 0.96, 0.98, 1.0, 1.005, 1.01};

typedef struct search {
	const omt_tune_options *options;
	omt_backend *backend;
	omt_work work;
	omt_cl_class class;
	double until_s;
	omt_cl_program best; /* program NULL: the device's own tiles */
	omt_cl_tiles tried[MAX_TRIED];
	size_t tried_count;
	double gflops; /* of the candidate of the last race */
	omt_error *err;
} search;

static void say(const omt_tune_options *options, const char *format, ...) OMT_PRINTF(2, 3);
static void say(const omt_tune_options *options, const char *format, ...)
{
	char text[512];
	va_list args;
	if (!options->line)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	options->line(options->user, text);
}

static bool stopped(const search *s)
{
	return s->options->stop && s->options->stop(s->options->user);
}

/* Whether to go on; false with OMT_OK: the time is over. */
static omt_status may_go_on(const search *s, bool *go)
{
	*go = omt_now_s() < s->until_s;
	return stopped(s) ? OMT_FAIL(s->err, STOPPED, "stopped; nothing was written") : OMT_OK;
}

/* ---- a race ---- */

static void use(const search *s, const omt_cl_program *program)
{
	omt_cl_class_use(s->backend, s->class, program && program->program ? program : NULL);
}

typedef struct times {
	double seconds[2][REPEATS][OMT_WORK_CALLS];
} times;

/* Of each call the median over repeats, of calls the geometric mean. */
static double ratio_of(search *s, const times *t, size_t repeats)
{
	double log_sum = 0, flops = 0, total_s = 0;
	size_t timed = 0;
	for (size_t i = 0; i < s->work.count; i++) {
		double mine[REPEATS], ratios[REPEATS];
		if (!s->work.calls[i].timed)
			continue;
		for (size_t r = 0; r < repeats; r++) {
			mine[r] = t->seconds[0][r][i];
			ratios[r] = t->seconds[1][r][i] / mine[r];
		}
		log_sum += log(omt_median(ratios, repeats));
		flops += s->work.calls[i].flops;
		total_s += omt_median(mine, repeats);
		timed++;
	}
	s->gflops = 1e-9 * flops / total_s;
	return exp(log_sum / (double)timed);
}

/* Both programs in turn; *ratio is how many times as fast `a` is as `b`. `whole`: all repeats,
 * however slow, and also when the time is over. */
static omt_status race(search *s, const omt_cl_program *a, const omt_cl_program *b, bool whole,
                       double *ratio)
{
	const omt_cl_program *const sides[2] = {a, b};
	const size_t repeats = s->options->quick ? 2 : REPEATS;
	times t;
	bool go = true;
	for (size_t r = 0; r < repeats && go; r++) {
		for (size_t i = 0; i < 2; i++) {
			const size_t side = (i + r) % 2; /* each comes first in turn */
			use(s, sides[side]);
			OMT_TRY(omt_work_time(&s->work, t.seconds[side][r], s->err));
		}
		*ratio = ratio_of(s, &t, r + 1);
		if (!whole && *ratio < hopeless[r])
			break;
		OMT_TRY(may_go_on(s, &go));
		go |= whole;
		/* The time is over: what has not been repeated wins nothing. */
		if (!go && r + 1 < repeats)
			*ratio = 0;
	}
	return OMT_OK;
}

/* ---- the search ---- */

static bool was_tried(search *s, const omt_cl_tiles *tiles)
{
	for (size_t i = 0; i < s->tried_count; i++)
		if (omt_cl_tiles_equal(&s->tried[i], tiles))
			return true;
	if (s->tried_count < MAX_TRIED)
		s->tried[s->tried_count++] = *tiles;
	return s->tried_count == MAX_TRIED;
}

/* Builds a candidate and checks its results; whatever goes wrong there is its own fault. */
static bool is_right(search *s, const omt_cl_tiles *tiles, omt_cl_program *program,
                     const char *name)
{
	omt_error why = {0};
	omt_status status = omt_cl_class_build(s->backend, s->class, tiles, program, &why);
	if (status == OMT_OK) {
		use(s, program);
		status = omt_work_check(&s->work, &why);
		use(s, NULL);
	}
	if (status != OMT_OK)
		say(s->options, "  %s: %s", name, why.text);
	return status == OMT_OK;
}

static omt_status try_tiles(search *s, const omt_cl_tiles *wanted, bool *won)
{
	omt_cl_tiles tiles = *wanted;
	omt_cl_program program = {0};
	omt_status status = OMT_OK;
	double ratio = 0;
	char name[128];
	bool go;
	*won = false;
	OMT_TRY(may_go_on(s, &go));
	if (!go || omt_cl_tiles_check(s->class, &tiles, NULL) != OMT_OK || was_tried(s, &tiles))
		return OMT_OK;
	omt_cl_tiles_print(s->class, &tiles, name, sizeof name);
	if (is_right(s, &tiles, &program, name)) {
		status = race(s, &program, &s->best, false, &ratio);
		*won = status == OMT_OK && ratio >= WINS;
		if (status == OMT_OK)
			say(s->options, "  %s: %.3f x%s", name, ratio,
			    *won ? ", the best now" : "");
	}
	use(s, NULL);
	if (*won) {
		omt_cl_program_free(&s->best);
		s->best = program;
	} else {
		omt_cl_program_free(&program);
	}
	return status;
}

/* From the parameter's value to its next candidates, upwards or downwards, as long as that wins. */
static omt_status walk(search *s, omt_cl_tile tile, int step, bool *moved)
{
	const omt_cl_tile_info *info = &omt_cl_tile_infos[tile];
	for (bool won = true; won;) {
		omt_cl_tiles next = s->best.tiles;
		const int32_t now = omt_cl_tile_get(&next, tile);
		int32_t found = 0;
		for (size_t i = 0; i < info->candidate_count; i++) {
			const int32_t value = info->candidates[i];
			if (step > 0 ? value > now && (!found || value < found)
			             : value < now && value > found)
				found = value;
		}
		if (!found)
			break;
		*omt_cl_tile_at(&next, tile) = found;
		OMT_TRY(try_tiles(s, &next, &won));
		*moved |= won;
	}
	return OMT_OK;
}

static omt_status descend(search *s)
{
	const int sweeps = s->options->quick ? 1 : SWEEPS;
	bool moved = true;
	for (int sweep = 0; sweep < sweeps && moved; sweep++) {
		moved = false;
		for (omt_cl_tile tile = 0; tile < OMT_CL_TILE_COUNT; tile++) {
			if (!omt_cl_tile_used(s->class, tile))
				continue;
			bool up = false;
			OMT_TRY(walk(s, tile, 1, &up));
			if (!up)
				OMT_TRY(walk(s, tile, -1, &moved));
			moved |= up;
		}
	}
	return OMT_OK;
}

/* The best tiles of a class and what they are worth beside those before. */
static omt_status search_class(search *s, omt_device_file *file)
{
	const omt_cl_tiles *own = &omt_cl_tiles_of(s->backend)->of[s->class];
	omt_cl_tile_set starts[MAX_STARTS];
	const size_t count = omt_device_shipped_tiles(starts, MAX_STARTS);
	omt_tile_record *record = &file->measured[s->class];
	double ratio = 1, gflops;
	bool won;
	s->best = (omt_cl_program){.tiles = *own};
	was_tried(s, own);
	for (size_t i = 0; i < count; i++)
		OMT_TRY(try_tiles(s, &starts[i].of[s->class], &won));
	OMT_TRY(descend(s));
	OMT_TRY(race(s, &s->best, NULL, true, &ratio));
	gflops = s->gflops;
	if (ratio <= 1 || !s->best.program) {
		/* What seemed better is not. */
		s->best.tiles = *own;
		ratio = 1;
		OMT_TRY(race(s, NULL, NULL, true, &(double){0}));
		gflops = s->gflops;
	}
	file->tiles.of[s->class] = s->best.tiles;
	record->gflops = gflops;
	record->ratio = ratio;
	return OMT_OK;
}

static omt_status tune_class(const omt_tune_options *options, omt_backend *backend,
                             omt_cl_class class, double until_s, omt_device_file *file,
                             json_t *report, omt_error *err)
{
	char name[128], before[128];
	search *s = calloc(1, sizeof *s);
	if (!s)
		return OMT_FAIL(err, NO_MEMORY, "a search");
	*s = (search){.options = options,
	              .backend = backend,
	              .class = class,
	              .until_s = until_s,
	              .err = err};
	omt_cl_tiles_print(class, &omt_cl_tiles_of(backend)->of[class], before, sizeof before);
	say(options, "%s: %s", omt_cl_class_infos[class].name, before);
	omt_status status = omt_work_open(backend, class, options->quick, &s->work, err);
	if (status == OMT_OK)
		status = search_class(s, file);
	use(s, NULL);
	if (status == OMT_OK) {
		omt_tile_record *record = &file->measured[class];
		omt_backend_info info;
		const time_t now = time(NULL);
		struct tm utc;
		backend->class->info(backend, &info);
		strftime(record->date, sizeof record->date, "%Y-%m-%d", gmtime_r(&now, &utc));
		snprintf(record->device, sizeof record->device, "%s", info.device);
		snprintf(record->driver, sizeof record->driver, "%s", info.driver);
		omt_cl_tiles_print(class, &file->tiles.of[class], name, sizeof name);
		say(options, "%s: %s, %.1f GFLOP/s, %.3f x", omt_cl_class_infos[class].name, name,
		    record->gflops, record->ratio);
		json_array_append_new(report,
		                      json_pack("{ss ss ss si sf sf}", "class",
		                                omt_cl_class_infos[class].name, "tiles", name,
		                                "before", before, "tried", (int)s->tried_count,
		                                "gflops", record->gflops, "ratio", record->ratio));
	}
	omt_cl_program_free(&s->best);
	omt_work_close(&s->work);
	free(s);
	return status;
}

/* ---- the file ---- */

/* "pthread-skylake-avx512-AMD EPYC" in the user's folder, which is made: a name of letters, digits,
 * dots and dashes. Given. */
static char *default_output(const omt_backend_info *device, omt_error *err)
{
	char name[sizeof device->device + 8];
	char *folder = omt_device_folder();
	snprintf(name, sizeof name, "%s.yaml", device->device);
	for (char *at = name; *at; at++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-",
		            *at))
			*at = '-';
	if (!folder) {
		OMT_FAIL(err, IO, "no folder for devices: neither OMT_DEVICES_DIR nor HOME is set");
		return NULL;
	}
	for (char *at = folder + 1;; at++) {
		const char kept = *at;
		if (kept && kept != '/')
			continue;
		*at = '\0';
		const bool made = !mkdir(folder, 0777) || errno == EEXIST;
		if (!made)
			OMT_FAIL(err, IO, "%s: %s", folder, strerror(errno));
		*at = kept;
		if (!made || !kept)
			break;
	}
	char *path = err->status == OMT_OK ? omt_path_join(folder, name) : NULL;
	free(folder);
	return path;
}

/* What the file has already, to which classes are added; or what a new one says of the device. */
static omt_status start_file(const char *path, const omt_backend_info *device,
                             omt_device_file *file, omt_error *err)
{
	if (omt_file_exists(path)) {
		OMT_TRY(omt_device_file_read(path, file, err));
		if (!omt_device_file_fits(file, device))
			return OMT_FAIL(err, MISMATCH, "%s: its match section does not fit %s",
			                path, device->device);
		return OMT_OK;
	}
	/* Said now, not after minutes. */
	char *folder = omt_path_folder(path);
	if (!folder || access(folder, W_OK) != 0) {
		free(folder);
		return OMT_FAIL(err, IO, "%s: its folder cannot be written: %s", path,
		                strerror(errno));
	}
	free(folder);
	*file = (omt_device_file){.matches = true};
	snprintf(file->info.device, sizeof file->info.device, "%s", device->device);
	snprintf(file->match.device, sizeof file->match.device, "%s", device->device);
	snprintf(file->match.platform, sizeof file->match.platform, "%s", device->platform);
	file->match.vector_width = device->vector_width;
	return OMT_OK;
}

/* Every class that was asked for, each with its share of the time that is left. */
static omt_status tune_classes(const omt_tune_options *options, omt_backend *backend,
                               omt_device_file *file, json_t *report, omt_error *err)
{
	const double all_s = options->seconds > 0 ? options->seconds
	                     : options->quick     ? QUICK_S
	                                          : SECONDS;
	const double end_s = omt_now_s() + all_s;
	bool found = false;
	for (omt_cl_class class = 0; class < OMT_CL_CLASS_COUNT; class ++) {
		const int left = options->class_name ? 1 : OMT_CL_CLASS_COUNT - (int)class;
		const double now_s = omt_now_s();
		if (options->class_name &&
		    strcmp(options->class_name, omt_cl_class_infos[class].name) != 0)
			continue;
		found = true;
		OMT_TRY(tune_class(options, backend, class, now_s + (end_s - now_s) / left, file,
		                   report, err));
	}
	if (found)
		return OMT_OK;
	char names[256] = "";
	for (omt_cl_class i = 0; i < OMT_CL_CLASS_COUNT; i++)
		snprintf(names + strlen(names), sizeof names - strlen(names), " %s",
		         omt_cl_class_infos[i].name);
	return OMT_FAIL(err, BAD_ARGUMENT, "no class \"%s\" among%s", options->class_name, names);
}

omt_status omt_tune(const omt_tune_options *options, char **json, omt_error *err)
{
	omt_error own = {0};
	omt_backend *backend = NULL;
	omt_backend_info device;
	omt_device_file file;
	char *path = NULL;
	json_t *report = json_array();
	omt_status status;
	*json = NULL;
	OMT_GOTO(omt_backend_opencl.open(
		&(omt_backend_options){.device = options->device, .bitstream = ""}, 1, &backend,
		&(int32_t){0}, &own));
	backend->class->info(backend, &device);
	path = options->output ? strdup(options->output) : default_output(&device, &own);
	if (!path) {
		status = own.status != OMT_OK ? own.status : OMT_FAIL(&own, NO_MEMORY, "a path");
		goto done;
	}
	OMT_GOTO(start_file(path, &device, &file, &own));
	OMT_GOTO(tune_classes(options, backend, &file, report, &own));
	OMT_GOTO(omt_device_file_write(path, &file, &own));
	json_t *all = json_pack("{so so sO}", "device", omt_json_text(device.device), "output",
	                        omt_json_text(path), "classes", report);
	*json = all ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(5)) : NULL;
	json_decref(all);
	if (!*json)
		status = OMT_FAIL(&own, NO_MEMORY, "the report");
done:
	if (backend)
		backend->class->close(backend);
	json_decref(report);
	free(path);
	if (err)
		*err = own;
	return status;
}
