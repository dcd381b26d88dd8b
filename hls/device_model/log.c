#include "hls/device_model/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

static void append(const char *path, json_t *object)
{
	static bool said;
	FILE *file = fopen(path, "ae");
	bool good = file && object &&
	            json_dumpf(object, file, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
	            fputc('\n', file) != EOF;
	if (file && fclose(file))
		good = false;
	if (!good && !said)
		fprintf(stderr, "device model: %s: not written: %s\n", path, strerror(errno));
	said = said || !good;
	json_decref(object);
}

static json_t *counted(const omt_logged *logged, double value)
{
	return logged->landing->counted ? json_real(value) : json_null();
}

void omt_model_log_launch(const char *path, const omt_logged *logged)
{
	const hls_counts *counts = &logged->landing->counts;
	if (!*path)
		return;
	append(path, json_pack("{s:o, s:o, s:I, s:f, s:o, s:o, s:[I, I, I], s:I, s:I, s:I, s:f}",
	                       "kernel", omt_json_text(logged->kernel), "unit",
	                       omt_json_text(logged->unit), "launch", (json_int_t)logged->launch,
	                       "clock_mhz", logged->modelled->clock_mhz, "cycles",
	                       counted(logged, logged->modelled->cycles), "modelled_s",
	                       counted(logged, logged->modelled->seconds), "trips",
	                       (json_int_t)counts->trips[HLS_LOAD],
	                       (json_int_t)counts->trips[HLS_COMPUTE],
	                       (json_int_t)counts->trips[HLS_STORE], "read_bytes",
	                       (json_int_t)counts->read_bytes, "written_bytes",
	                       (json_int_t)counts->written_bytes, "banks",
	                       (json_int_t)logged->banks, "wall_s", logged->wall_s));
}

void omt_model_log_copies(const char *path, const char *direction, uint64_t count, uint64_t bytes,
                          double modelled_s)
{
	if (*path && count)
		append(path, json_pack("{s:s, s:I, s:I, s:f}", "copies", direction, "count",
		                       (json_int_t)count, "bytes", (json_int_t)bytes, "modelled_s",
		                       modelled_s));
}
