#include "exec/roofline.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/parallel.h"
#include "exec/device_file.h"
#include "exec/exec.h"

#define SMALLEST_SET ((size_t)256 << 10)
#define SET_STEP     8 /* from a set to the next larger one */
#define LONGEST_S    0.2

/* Tries of 20 ms: long beside a launch and a thread's start. The largest set is 16 times the last
 * cache of most machines; a server's whole cache of hundreds of MB is not one process's. */
const omt_roofline_effort omt_roofline_thorough = {
	.rounds = 3, .tries = 3, .try_s = 0.02, .largest_bytes = (size_t)512 << 20};
const omt_roofline_effort omt_roofline_quick = {
	.rounds = 2, .tries = 1, .try_s = 0.004, .largest_bytes = (size_t)64 << 20};

void omt_settle(void)
{
	struct timespec before, after;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (double waited_s = 0; waited_s < LONGEST_S; waited_s += 0.005) {
		usleep(5000);
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
		const double used_s = (double)(after.tv_sec - before.tv_sec) +
		                      1e-9 * (double)(after.tv_nsec - before.tv_nsec);
		if (used_s < 0.0005)
			return;
		before = after;
	}
}

/* ---- measuring ---- */

/* The best rate of several tries in 1e9 a second. Runs that are too short to be tries say how many
 * steps are enough. */
static omt_status measure(const omt_rig *rig, const omt_roofline_work *work, size_t set,
                          const omt_roofline_effort *effort, double *best, omt_error *err)
{
	int32_t steps = 1;
	omt_roofline_done done;
	for (int32_t tries = 0; tries < effort->tries;) {
		OMT_TRY(rig->run(rig->self, work, set, steps, &done, err));
		if (done.seconds >= effort->try_s || steps == INT32_MAX) {
			const double rate = 1e-9 * done.amount / done.seconds;
			*best = rate > *best ? rate : *best;
			tries++;
			continue;
		}
		/* Not to more than 16 times: the first launch holds the kernel's compilation. */
		const double wanted = 1.25 * effort->try_s * steps / (done.seconds + 1e-9);
		const double most = 16.0 * steps;
		const double next = wanted < most ? wanted + 1 : most;
		steps = next < INT32_MAX ? (int32_t)next : INT32_MAX;
	}
	return OMT_OK;
}

static void report(const omt_roofline_effort *effort, int32_t round)
{
	if (effort->progress.report)
		effort->progress.report(effort->progress.user, "roofline", (uint64_t)round,
		                        (uint64_t)effort->rounds);
}

/* All ways of one kind. */
static omt_status measure_kind(const omt_rig *rig, omt_roof kind, size_t set,
                               const omt_roofline_effort *effort, double *best, omt_error *err)
{
	for (size_t i = 0; i < rig->work_count; i++)
		if (rig->works[i].kind == kind)
			OMT_TRY(measure(rig, &rig->works[i], set, effort, best, err));
	return OMT_OK;
}

/* Every number once more. It begins with nobody at work: what a system did badly for the threads of
 * the last round, two on one core, it may do better now. */
static omt_status measure_round(const omt_rig *rig, const omt_roofline_effort *effort,
                                omt_roofs *roofs, omt_error *err)
{
	omt_settle();
	for (omt_roof kind = 0; kind < OMT_ROOF_READ; kind++)
		OMT_TRY(measure_kind(rig, kind, 0, effort, &roofs->peak[kind], err));
	for (int32_t i = 0; i < roofs->set_count; i++) {
		omt_roofline_set *to = &roofs->sets[i];
		OMT_TRY(measure_kind(rig, OMT_ROOF_READ, to->bytes, effort, &to->read_gbs, err));
		OMT_TRY(measure_kind(rig, OMT_ROOF_COPY, to->bytes, effort, &to->copy_gbs, err));
	}
	return OMT_OK;
}

omt_status omt_rig_measure(const omt_rig *rig, const omt_roofline_effort *effort, omt_roofs *roofs,
                           omt_error *err)
{
	size_t largest = effort->largest_bytes;
	while (largest > rig->most_bytes && largest > SMALLEST_SET)
		largest /= 2;
	*roofs = (omt_roofs){.tries = effort->rounds * effort->tries, .set_count = 1};
	for (size_t set = largest; set / SET_STEP >= SMALLEST_SET; set /= SET_STEP)
		roofs->set_count++;
	for (int32_t i = roofs->set_count; i-- > 0; largest /= SET_STEP)
		roofs->sets[i].bytes = largest;
	for (int32_t round = 0; round < effort->rounds; round++) {
		report(effort, round);
		OMT_TRY(measure_round(rig, effort, roofs, err));
	}
	report(effort, effort->rounds);
	return OMT_OK;
}

/* ---- backends ---- */

/* Backends on the host are the CPU; what they are called is theirs to tell. */
static omt_status of_host(const omt_backend_class *class, const omt_backend_options *options,
                          const omt_roofline_effort *effort, omt_roofs *roofs,
                          omt_backend_info *info, omt_error *err)
{
	omt_backend *backend;
	int32_t count;
	OMT_TRY(class->open(options, 1, &backend, &count, err));
	class->info(backend, info);
	class->close(backend);
	return omt_roofline_cpu(omt_parallel_cores(), effort, roofs, err);
}

/* What the file says; nothing is measured. */
static omt_status of_model(const omt_backend_class *class, const omt_backend_options *options,
                           const omt_roofline_effort *effort, omt_roofs *roofs,
                           omt_backend_info *info, omt_error *err)
{
	omt_backend *backend;
	omt_device_speed speed;
	omt_backend_info of_file;
	int32_t count;
	const char *device = omt_backend_device(options);
	(void)effort;
	OMT_TRY(class->open(options, 1, &backend, &count, err));
	class->info(backend, info);
	class->close(backend);
	char *path = strndup(device, strcspn(device, ","));
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "a path");
	omt_status status = omt_device_file_load(path, &of_file, &speed, err);
	free(path);
	if (status != OMT_OK)
		return status;
	*roofs = (omt_roofs){.set_count = 1};
	roofs->peak[OMT_ROOF_F32] = speed.peak_gflops;
	roofs->sets[0].read_gbs = roofs->sets[0].copy_gbs = speed.bandwidth_gbs;
	roofs->sets[0].bytes = info->memory_bytes;
	return OMT_OK;
}

static omt_status of_opencl(const omt_backend_class *class, const omt_backend_options *options,
                            const omt_roofline_effort *effort, omt_roofs *roofs,
                            omt_backend_info *info, omt_error *err)
{
	(void)class;
	return omt_roofline_opencl(options->device, effort, roofs, info, err);
}

static omt_status of_class(const omt_backend_class *class, const omt_backend_options *options,
                           const omt_roofline_effort *effort, omt_roofs *roofs,
                           omt_backend_info *info, omt_error *err)
{
	static const struct {
		const omt_backend_class *class;
		omt_status (*run)(const omt_backend_class *, const omt_backend_options *,
		                  const omt_roofline_effort *, omt_roofs *, omt_backend_info *,
		                  omt_error *);
	} table[] = {{&omt_backend_opencl, of_opencl},
	             {&omt_backend_openblas, of_host},
	             {&omt_backend_ref, of_host},
	             {&omt_backend_model, of_model}};
	size_t i = 0;
	while (table[i].class != class)
		i++;
	return table[i].run(class, options, effort, roofs, info, err);
}

/* ---- the answer ---- */

static json_t *describe(const omt_roofs *roofs, const omt_backend_info *info)
{
	static const char *const names[OMT_ROOF_READ] = {"f32", "int8", "bf16"};
	const omt_roofline_set *last = &roofs->sets[roofs->set_count - 1];
	json_t *peaks = json_object(), *sets = json_array();
	for (omt_roof kind = 0; kind < OMT_ROOF_READ; kind++)
		if (roofs->peak[kind] > 0)
			json_object_set_new(peaks, names[kind], json_real(roofs->peak[kind]));
	for (int32_t i = 0; i < roofs->set_count; i++)
		json_array_append_new(
			sets, json_pack("{sI sf sf}", "bytes", (json_int_t)roofs->sets[i].bytes,
		                        "gbytes_per_s", roofs->sets[i].read_gbs,
		                        "gbytes_per_s_copy", roofs->sets[i].copy_gbs));
	return json_pack("{so so so ss so sf sf so si}", "device", omt_json_text(info->device),
	                 "platform", omt_json_text(info->platform), "driver",
	                 omt_json_text(info->driver), "backend", info->backend, "gflops", peaks,
	                 "gbytes_per_s", last->read_gbs, "gbytes_per_s_copy", last->copy_gbs,
	                 "sets", sets, "tries", roofs->tries);
}

omt_status omt_roofline(const omt_roofline_options *options, char **json, omt_error *err)
{
	const omt_roofline_options none = {0};
	const omt_backend_class *chain[OMT_CHAIN];
	omt_roofline_effort effort;
	omt_roofs roofs;
	omt_backend_info info;
	int32_t count;
	*json = NULL;
	options = options ? options : &none;
	effort = options->quick ? omt_roofline_quick : omt_roofline_thorough;
	effort.progress = options->progress;
	const omt_backend_options device = {.device = options->device};
	OMT_TRY(omt_exec_parse_chain(options->backend, chain, &count, err));
	omt_status status = OMT_DEVICE;
	/* As omt_exec_open(): a device that is not there leaves its place to the next one. */
	for (int32_t i = 0; i < count && status == OMT_DEVICE; i++) {
		omt_error why;
		status = of_class(chain[i], &device, &effort, &roofs, &info, &why);
		if (status == OMT_OK)
			break;
		if (status != OMT_DEVICE || i + 1 == count)
			return omt_fail(err, status, "%s", why.text);
		omt_note(&options->progress, "%s", why.text);
	}
	json_t *all = describe(&roofs, &info);
	*json = all ? json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(5)) : NULL;
	json_decref(all);
	return *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "the roofline");
}
