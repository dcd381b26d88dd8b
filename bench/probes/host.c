#include "bench/probes/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/parallel.h"

/* What follows "key" and a colon in a file of such lines, its line's end cut; false: no such line.
 */
static bool find_line(const char *path, const char *key, char *value, size_t size)
{
	char line[512];
	bool found = false;
	FILE *file = fopen(path, "re");
	while (file && !found && fgets(line, sizeof line, file)) {
		const size_t length = strlen(key);
		const char *colon = strchr(line, ':');
		if (strncmp(line, key, length) != 0 || !colon ||
		    strspn(line + length, " \t") != (size_t)(colon - line) - length)
			continue;
		snprintf(value, size, "%s", colon + 1 + strspn(colon + 1, " \t"));
		value[strcspn(value, "\n")] = '\0';
		found = true;
	}
	if (file)
		fclose(file);
	return found;
}

/* The first line of a file; false: there is none. */
static bool read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	const bool got = file && fgets(line, size, file);
	if (file)
		fclose(file);
	if (got)
		line[strcspn(line, "\n")] = '\0';
	return got;
}

json_t *omt_host_describe(void)
{
	static const char governor[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
	static const char fastest[] = "/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq";
	struct utsname system;
	char line[256];
	uname(&system);
	const json_int_t memory =
		(json_int_t)sysconf(_SC_PHYS_PAGES) * (json_int_t)sysconf(_SC_PAGESIZE);
	json_t *host = json_pack("{ss ss ss si sI}", "system", system.sysname, "release",
	                         system.release, "machine", system.machine, "cores",
	                         (int)omt_parallel_cores(), "memory_bytes", memory);
	if (host && find_line("/proc/cpuinfo", "model name", line, sizeof line))
		json_object_set_new(host, "cpu", json_string(line));
	if (host && read_line(governor, line, sizeof line))
		json_object_set_new(host, "governor", json_string(line));
	if (host && read_line(fastest, line, sizeof line)) /* kHz */
		json_object_set_new(host, "max_hz", json_integer(1000 * atoll(line)));
	return host;
}

static uint64_t status_bytes(const char *key)
{
	char line[64];
	return find_line("/proc/self/status", key, line, sizeof line)
	               ? 1024 * strtoull(line, NULL, 10)
	               : 0;
}

uint64_t omt_host_peak_bytes(void)
{
	return status_bytes("VmHWM");
}

uint64_t omt_host_resident_bytes(void)
{
	return status_bytes("VmRSS");
}

/* proc(5): 5 sets the peak to what is resident now. */
bool omt_host_peak_reset(void)
{
	const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	const bool done = write(file, "5", 1) == 1;
	return close(file) == 0 && done;
}
