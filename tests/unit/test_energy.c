/* Energy from a folder that looks like /sys, and the host's own facts. */
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "bench/probes/energy.h"
#include "bench/probes/host.h"
#include "tests/unit/number.h"
#include "tests/unit/scratch.h"

static omt_error err;

static void make(void)
{
	scratch_make();
	chmod(scratch_folder, 0755);
}

static void drop(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -rf %s", scratch_folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(energy, .init = make, .fini = drop, .timeout = 60);

/* Writes a file of the tree in place, folders made; what reads it sees the old text or the new. */
static void put(const char *name, const char *text)
{
	char path[512];
	snprintf(path, sizeof path, "%s/%s", scratch_folder, name);
	for (char *at = path + strlen(scratch_folder) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
	FILE *file = fopen(path, access(path, F_OK) ? "w" : "r+");
	cr_assert_not_null(file, "%s", path);
	fputs(text, file);
	fclose(file);
}

static void link_to(const char *name, const char *target)
{
	cr_assert_eq(symlink(target, scratch_path(name)), 0);
}

static void zone(const char *folder, const char *name, const char *energy)
{
	char path[128];
	snprintf(path, sizeof path, "class/powercap/%s/name", folder);
	put(path, name);
	snprintf(path, sizeof path, "class/powercap/%s/energy_uj", folder);
	put(path, energy);
	snprintf(path, sizeof path, "class/powercap/%s/max_energy_range_uj", folder);
	put(path, "999999999\n");
}

static omt_energy *begin(void)
{
	omt_energy *energy;
	cr_assert_eq(omt_energy_open(scratch_folder, &energy, &err), OMT_OK);
	cr_assert_eq(omt_energy_begin(energy, &err), OMT_OK, "%s", err.text);
	return energy;
}

static json_t *end(omt_energy *energy, uint64_t items)
{
	json_t *told = omt_energy_end(energy, items);
	cr_assert_not_null(told);
	omt_energy_close(energy);
	return told;
}

static void check_sources(const json_t *told, const char *wanted)
{
	json_t *expected = json_loads(wanted, 0, NULL);
	cr_assert(json_equal(json_object_get(told, "sources"), expected), "%s, not %s",
	          json_dumps(told, 0), wanted);
	json_decref(expected);
}

static void check_reason(const json_t *told, const char *part)
{
	const char *reason = json_string_value(json_object_get(told, "reason"));
	cr_assert(reason && !strncmp(reason, "not available: ", 15) && strstr(reason, part), "%s",
	          json_dumps(told, 0));
}

/* ---- rapl ---- */

Test(energy, packages_and_memory_once_each)
{
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	zone("intel-rapl:0:0", "core\n", "500000\n");
	zone("intel-rapl:0:1", "dram\n", "100000\n");
	zone("intel-rapl:1", "package-1\n", "999000000\n");
	zone("intel-rapl:1:0", "dram\n", "0\n");
	zone("intel-rapl:2", "psys\n", "1000000\n");
	zone("intel-rapl-mmio:0", "package-0\n", "1000000\n");
	put("class/powercap/intel-rapl/enabled", "1\n");
	omt_energy *energy = begin();
	zone("intel-rapl:0", "package-0\n", "3500000\n"); /* 2.5 J */
	zone("intel-rapl:0:0", "core\n", "2500000\n");
	zone("intel-rapl:0:1", "dram\n", "350000\n");       /* 0.25 J */
	zone("intel-rapl:1", "package-1\n", "000999999\n"); /* wrapped: 1 J and 1 + 0.999999 */
	zone("intel-rapl:1:0", "dram\n", "1000000\n");      /* 1 J */
	zone("intel-rapl:2", "psys\n", "9000000\n");
	zone("intel-rapl-mmio:0", "package-0\n", "3500000\n");
	json_t *told = end(energy, 5);
	check_sources(told, "[\"rapl:package-0\", \"rapl:package-1\", \"rapl:package-0/dram\","
	                    " \"rapl:package-1/dram\"]");
	cr_assert_float_eq(number(told, "joules"), 2.5 + 0.25 + 1.999999 + 1, 1e-9);
	cr_assert_float_eq(number(told, "joules_per_item"), 5.749999 / 5, 1e-9);
	cr_assert_float_eq(number(told, "host_joules"), 5.749999, 1e-9);
	cr_assert_null(json_object_get(told, "device_joules"));
	cr_assert_null(json_object_get(told, "missing"));
	json_decref(told);
}

Test(energy, a_counter_wraps_more_than_once)
{
	zone("intel-rapl:0", "package-0\n", "900000000\n");
	omt_energy *energy = begin();
	zone("intel-rapl:0", "package-0\n", "000000000\n"); /* 100 J */
	usleep(1200000);                                    /* looked at every second */
	zone("intel-rapl:0", "package-0\n", "950000000\n"); /* 950 J */
	usleep(1000000);
	zone("intel-rapl:0", "package-0\n", "100000000\n"); /* 150 J */
	json_t *told = end(energy, 0);
	cr_assert_float_eq(number(told, "joules"), 1200, 1e-6);
	cr_assert_null(json_object_get(told, "joules_per_item"));
	json_decref(told);
}

Test(energy, the_platform_where_there_are_no_packages)
{
	zone("intel-rapl:0", "psys\n", "1000000\n");
	omt_energy *energy = begin();
	zone("intel-rapl:0", "psys\n", "2000000\n");
	json_t *told = end(energy, 0);
	check_sources(told, "[\"rapl:psys\"]");
	json_decref(told);
}

/* Root alone may read these counters since 2020. */
Test(energy, a_file_that_may_not_be_read_is_named)
{
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	chmod(scratch_path("class/powercap/intel-rapl:0/energy_uj"), 0400);
	cr_assert(geteuid() != 0 || seteuid(65534) == 0);
	if (access(scratch_path("class/powercap/intel-rapl:0/energy_uj"), R_OK) == 0 &&
	    getuid() != 0) /* our own file: nobody's must not be readable either */
		chmod(scratch_path("class/powercap/intel-rapl:0/energy_uj"), 0000);
	json_t *told = end(begin(), 1);
	cr_assert(getuid() != 0 || seteuid(0) == 0);
	check_reason(told, "intel-rapl:0/energy_uj: permission denied");
	check_reason(told, "chmod a+r");
	json_decref(told);
}

Test(energy, garbage_is_no_number)
{
	static const char *const texts[] = {"", "-5\n", "12 apples\n", "99999999999999999999\n",
	                                    "0x10\n"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		unlink(scratch_path("class/powercap/intel-rapl:0/energy_uj"));
		zone("intel-rapl:0", "package-0\n", texts[i]);
		json_t *told = end(begin(), 1);
		check_reason(told, "energy_uj: holds no number");
		json_decref(told);
	}
}

Test(energy, nothing_is_there)
{
	json_t *told = end(begin(), 1);
	check_reason(told, "neither energy nor power");
	json_decref(told);
	omt_energy *energy;
	cr_assert_eq(omt_energy_open("/no/such/folder", &energy, &err), OMT_OK);
	cr_assert_null(omt_energy_end(energy, 1));
	cr_assert_eq(omt_energy_begin(energy, &err), OMT_OK);
	cr_assert_eq(omt_energy_begin(energy, &err), OMT_BAD_ARGUMENT);
	omt_energy_close(energy);
}

/* One of two packages is better than none, and is told to be one of two. */
Test(energy, what_is_missing_is_told)
{
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	zone("intel-rapl:1", "package-1\n", "what?\n");
	omt_energy *energy = begin();
	zone("intel-rapl:0", "package-0\n", "2000000\n");
	json_t *told = end(energy, 1);
	check_sources(told, "[\"rapl:package-0\"]");
	cr_assert_float_eq(number(told, "joules"), 1, 1e-9);
	cr_assert_not_null(strstr(json_string_value(json_object_get(told, "missing")), "rapl:1"));
	json_decref(told);
}

/* ---- power, cards ---- */

Test(energy, power_is_integrated)
{
	put("class/hwmon/hwmon3/name", "ina226\n");
	put("class/hwmon/hwmon3/power1_input", "010000000\n"); /* 10 W */
	omt_energy *energy = begin();
	const double start_s = omt_now_s();
	usleep(300000);
	put("class/hwmon/hwmon3/power1_input", "100000000\n"); /* 100 W */
	const double middle_s = omt_now_s();
	usleep(300000);
	json_t *told = end(energy, 1);
	const double end_s = omt_now_s();
	const double wanted = 10 * (middle_s - start_s) + 100 * (end_s - middle_s);
	check_sources(told, "[\"hwmon:ina226\"]");
	/* A machine that does other work keeps the sampler waiting. */
	cr_assert_float_eq(number(told, "joules"), wanted, 0.15 * wanted, "%f J, wanted %f",
	                   number(told, "joules"), wanted);
	json_decref(told);
}

#define CARD "devices/pci0000:00/0000:00:01.0/0000:3b:00.1"

Test(energy, a_card_of_two_functions_is_one_source)
{
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	put("bus/pci/devices/0000:3b:00.0/xmc.m.8388608/xmc_power", "20000000\n");
	put("bus/pci/devices/0000:3b:00.1/xmc.u.12582912/xmc_power", "20000000\n");
	put("bus/pci/devices/0000:5e:00.1/xmc.u.12582912/xmc_power", "40000000\n");
	put("bus/pci/devices/0000:00:1f.0/vendor", "0x8086\n");
	/* The same card's hwmon: what is steered to is no measurement. */
	put(CARD "/vendor", "0x10ee\n");
	put("class/hwmon/hwmon1/name", "xilinx_u250\n");
	put("class/hwmon/hwmon1/power1_input", "20000000\n");
	link_to("class/hwmon/hwmon1/device", "../../../" CARD);
	const double start_s = omt_now_s();
	omt_energy *energy = begin();
	usleep(100000);
	zone("intel-rapl:0", "package-0\n", "3000000\n");
	json_t *told = end(energy, 1);
	const double seconds = omt_now_s() - start_s;
	check_sources(told, "[\"rapl:package-0\", \"xrt:0000:3b:00\", \"xrt:0000:5e:00\"]");
	cr_assert_float_eq(number(told, "host_joules"), 2, 1e-9);
	cr_assert_leq(number(told, "device_joules"), 60 * seconds);
	cr_assert_geq(number(told, "device_joules"), 60 * 0.1 * 0.9);
	cr_assert_float_eq(number(told, "joules"),
	                   number(told, "host_joules") + number(told, "device_joules"), 1e-9);
	json_decref(told);
}

Test(energy, cards_that_hwmon_tells)
{
	zone("intel-rapl:0", "package-0\n", "1000000\n");
	put("devices/pci0000:00/0000:03:00.0/vendor", "0x1002\n");
	put("devices/pci0000:00/0000:04:00.0/vendor", "0x8086\n");
	put("devices/pci0000:00/0000:05:00.0/vendor", "0x10ee\n");
	put("class/hwmon/hwmon0/name", "amdgpu\n");
	put("class/hwmon/hwmon0/power1_average", "5000000\n");
	put("class/hwmon/hwmon0/power1_label", "PPT\n");
	link_to("class/hwmon/hwmon0/device", "../../../devices/pci0000:00/0000:03:00.0");
	put("class/hwmon/hwmon1/name", "xe\n");
	put("class/hwmon/hwmon1/energy1_input", "1000000\n");
	put("class/hwmon/hwmon1/energy1_label", "card\n");
	put("class/hwmon/hwmon1/energy2_input", "1000000\n");
	put("class/hwmon/hwmon1/energy2_label", "pkg\n");
	put("class/hwmon/hwmon1/power1_input", "5000000\n");
	link_to("class/hwmon/hwmon1/device", "../../../devices/pci0000:00/0000:04:00.0");
	put("class/hwmon/hwmon2/name", "xilinx\n");
	put("class/hwmon/hwmon2/power1_input", "CS\n");
	put("class/hwmon/hwmon2/power1_label", "CS_TARGET_POWER\n");
	put("class/hwmon/hwmon2/power2_input", "5000000\n");
	link_to("class/hwmon/hwmon2/device", "../../../devices/pci0000:00/0000:05:00.0");
	put("class/hwmon/hwmon4/name", "ina226\n"); /* the host's: rapl tells it */
	put("class/hwmon/hwmon4/power1_input", "5000000\n");
	put("class/hwmon/hwmon5/name", "BAT0\n");
	put("class/hwmon/hwmon5/power1_input", "5000000\n");
	put("class/hwmon/hwmon5/device/type", "Battery\n");
	omt_energy *energy = begin();
	put("class/hwmon/hwmon1/energy1_input", "4000000\n");
	json_t *told = end(energy, 1);
	check_sources(told, "[\"rapl:package-0\", \"hwmon:amdgpu@0000:03:00:PPT\","
	                    " \"hwmon:xe@0000:04:00:card\", \"hwmon:xilinx@0000:05:00\"]");
	cr_assert_float_eq(number(json_object_get(told, "by_source"), "hwmon:xe@0000:04:00:card"),
	                   3, 1e-9);
	json_decref(told);
}

Test(energy, sockets_without_their_cores)
{
	put("class/hwmon/hwmon0/name", "amd_energy\n");
	put("class/hwmon/hwmon0/energy1_input", "1000000\n");
	put("class/hwmon/hwmon0/energy1_label", "Ecore000\n");
	put("class/hwmon/hwmon0/energy2_input", "1000000\n");
	put("class/hwmon/hwmon0/energy2_label", "Esocket0\n");
	put("class/hwmon/hwmon0/energy3_input", "1000000\n");
	put("class/hwmon/hwmon0/energy3_label", "Esocket1\n");
	put("class/hwmon/hwmon1/name", "BAT0\n");
	put("class/hwmon/hwmon1/power1_input", "5000000\n");
	put("class/hwmon/hwmon1/device/type", "Battery\n");
	omt_energy *energy = begin();
	put("class/hwmon/hwmon0/energy2_input", "2000000\n");
	put("class/hwmon/hwmon0/energy3_input", "0500000\n"); /* went back, and does not wrap */
	json_t *told = end(energy, 1);
	check_sources(told, "[\"hwmon:amd_energy:Esocket0\"]");
	cr_assert_float_eq(number(told, "joules"), 1, 1e-9);
	json_decref(told);
}

/* ---- the host ---- */

Test(energy, the_host_tells_what_it_is)
{
	json_t *host = omt_host_describe();
	cr_assert_str_eq(json_string_value(json_object_get(host, "system")), "Linux");
	cr_assert_geq(number(host, "cores"), 1);
	cr_assert_gt(number(host, "memory_bytes"), 1e8);
	json_decref(host);
}

Test(energy, the_peak_of_memory_is_that_of_its_part)
{
	enum { BYTES = 64 << 20, SLACK = 2 << 20 }; /* the kernel's counts lag by some pages */
	const uint64_t before = omt_host_peak_bytes();
	cr_assert_gt(before, 0);
	char *memory =
		mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(memory, MAP_FAILED);
	memset(memory, 1, BYTES);
	const uint64_t with = omt_host_peak_bytes();
	cr_assert_geq(with, before + BYTES - SLACK);
	cr_assert_leq(omt_host_resident_bytes(), with + SLACK);
	munmap(memory, BYTES);
	cr_assert_geq(omt_host_peak_bytes(), with - SLACK);
	if (omt_host_peak_reset())
		cr_assert_leq(omt_host_peak_bytes(), with - BYTES + SLACK);
}
