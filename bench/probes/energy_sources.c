/* Who tells energy under /sys. Facts are from the kernel's documentation (power/powercap/powercap,
 * hwmon/sysfs-interface, hwmon/amd_energy) and XRT's drivers (xocl/subdev/xmc.c). */
#include "bench/probes/energy_sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_SENSORS 128 /* of a chip */

bool omt_energy_source_read(const omt_energy_source *source, uint64_t *value)
{
	char text[32], *end;
	const ssize_t bytes = pread(source->file, text, sizeof text - 1, 0);
	if (bytes <= 0 || text[0] < '0' || text[0] > '9')
		return false;
	text[bytes] = '\0';
	errno = 0;
	*value = strtoull(text, &end, 10);
	return !errno && (*end == '\n' || !*end);
}

/* ---- files ---- */

/* The first line of folder/name; "": there is none. */
static void read_text(const char *folder, const char *name, char *text, size_t size)
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "re");
	text[0] = '\0';
	if (file && !fgets(text, (int)size, file))
		text[0] = '\0';
	if (file)
		fclose(file);
	text[strcspn(text, "\n")] = '\0';
}

static bool is_there(const char *folder, const char *name)
{
	char path[PATH_MAX + 512];
	struct stat is;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return stat(path, &is) == 0;
}

static void note_obstacle(omt_energy_sources *found, const char *path, const char *why)
{
	if (!found->obstacle[0])
		snprintf(found->obstacle, sizeof found->obstacle, "%.300s: %s", path, why);
}

/* Opens folder/file as a source of this name; a file that is there but cannot be used is an
 * obstacle to be told. */
static bool add(omt_energy_sources *found, const omt_energy_source *like, const char *folder,
                const char *file)
{
	omt_energy_source source = *like;
	uint64_t value;
	if (found->count == OMT_ENERGY_SOURCES || !is_there(folder, file))
		return false;
	snprintf(source.path, sizeof source.path, "%s/%s", folder, file);
	for (char *at = source.name; *at; at++) /* it goes into JSON */
		*at = *at >= ' ' && *at < 127 ? *at : '?';
	source.file = open(source.path, O_RDONLY | O_CLOEXEC);
	if (source.file < 0) {
		note_obstacle(found, source.path,
		              errno == EACCES || errno == EPERM
		                      ? "permission denied; let this user read it (chmod a+r, or a "
		                        "udev rule), or run as root"
		                      : strerror(errno));
		return false;
	}
	if (!omt_energy_source_read(&source, &value)) {
		note_obstacle(found, source.path, "holds no number");
		close(source.file);
		return false;
	}
	found->list[found->count++] = source;
	return true;
}

/* Calls `visit` for each entry of root/at in the order of their names. */
static void for_each(const char *root, const char *at, omt_energy_sources *found,
                     void (*visit)(omt_energy_sources *, const char *folder, const char *name))
{
	char folder[PATH_MAX];
	struct dirent **list;
	snprintf(folder, sizeof folder, "%s/%s", root, at);
	const int count = scandir(folder, &list, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (list[i]->d_name[0] != '.')
			visit(found, folder, list[i]->d_name);
		free(list[i]);
	}
	if (count >= 0)
		free(list);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* ---- rapl ---- */

/* "intel-rapl:0" is a zone, "intel-rapl:0:1" one of its parts. A package is listed twice where the
 * processor has a memory-mapped interface as well. */
static bool is_zone(const char *name, int depth, bool mapped)
{
	int colons = 0;
	for (const char *at = name; *at; at++)
		colons += *at == ':';
	return colons == depth && (strstr(name, "mmio") != NULL) == mapped;
}

static void add_zone(omt_energy_sources *found, const char *folder, const char *zone,
                     const char *name)
{
	char path[PATH_MAX], range[32];
	omt_energy_source source = {0};
	snprintf(path, sizeof path, "%s/%s", folder, zone);
	read_text(path, "max_energy_range_uj", range, sizeof range);
	source.range = strtoull(range, NULL, 10);
	snprintf(source.name, sizeof source.name, "rapl:%.100s", name);
	add(found, &source, path, "energy_uj");
}

static void read_name(const char *folder, const char *zone, char name[64])
{
	char path[PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", folder, zone);
	read_text(path, "name", name, 64);
}

static void visit_package(omt_energy_sources *found, const char *folder, const char *zone)
{
	char name[64];
	read_name(folder, zone, name);
	if (is_zone(zone, 1, false) && begins(name, "package"))
		add_zone(found, folder, zone, name);
}

static void visit_mapped_package(omt_energy_sources *found, const char *folder, const char *zone)
{
	char name[64];
	read_name(folder, zone, name);
	if (is_zone(zone, 1, true) && begins(name, "package"))
		add_zone(found, folder, zone, name);
}

/* The platform, packages included. */
static void visit_platform(omt_energy_sources *found, const char *folder, const char *zone)
{
	char name[64];
	read_name(folder, zone, name);
	if (is_zone(zone, 1, false) && !strcmp(name, "psys"))
		add_zone(found, folder, zone, name);
}

/* Memory is no part of its package's energy, cores and graphics are. */
static void visit_memory(omt_energy_sources *found, const char *folder, const char *zone)
{
	char name[64], package[64] = "", whole[160];
	read_name(folder, zone, name);
	if (!is_zone(zone, 2, false) || strcmp(name, "dram") != 0)
		return;
	snprintf(whole, sizeof whole, "%.*s", (int)(strrchr(zone, ':') - zone), zone);
	read_name(folder, whole, package);
	snprintf(whole, sizeof whole, "%s/%s", package, name);
	add_zone(found, folder, zone, whole);
}

static void find_rapl(const char *root, omt_energy_sources *found)
{
	static const char at[] = "class/powercap";
	for_each(root, at, found, visit_package);
	if (!found->count)
		for_each(root, at, found, visit_mapped_package);
	if (found->count)
		for_each(root, at, found, visit_memory);
	else
		for_each(root, at, found, visit_platform);
}

/* ---- cards ---- */

static bool has_card(const omt_energy_sources *found, const char *card)
{
	for (size_t i = 0; i < found->count; i++)
		if (!strcmp(found->list[i].card, card))
			return true;
	return false;
}

/* "0000:3b:00" of the last "0000:3b:00.1" in a path: a card may have several functions. */
static void find_card(const char *path, char card[64])
{
	unsigned domain, bus, device, function;
	card[0] = '\0';
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (sscanf(at, "%4x:%2x:%2x.%1x", &domain, &bus, &device, &function) == 4)
			snprintf(card, 64, "%04x:%02x:%02x", domain, bus, device);
	}
}

/* Alveo: management and user function tell the same power; in a guest there is one of them. */
static void visit_pci(omt_energy_sources *found, const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct dirent *entry;
	omt_energy_source source = {.power = true};
	snprintf(path, sizeof path, "%s/%s", folder, name);
	find_card(name, source.card);
	DIR *device = source.card[0] && !has_card(found, source.card) ? opendir(path) : NULL;
	snprintf(source.name, sizeof source.name, "xrt:%s", source.card);
	while (device && (entry = readdir(device))) {
		char inner[PATH_MAX + 300];
		if (!begins(entry->d_name, "xmc."))
			continue;
		snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
		if (add(found, &source, inner, "xmc_power"))
			break;
	}
	if (device)
		closedir(device);
}

/* ---- hwmon ---- */

typedef struct chip {
	char folder[PATH_MAX], name[48], card[64];
} chip;

/* Chips of PCI that are not cards but the processor. */
static bool is_processor(const char *name)
{
	static const char *const names[] = {"fam15h_power", "k10temp", "zenpower", "amd_energy"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static omt_energy_source source_of(const chip *c, const char *label, bool power)
{
	omt_energy_source source = {.power = power};
	memcpy(source.card, c->card, sizeof source.card);
	snprintf(source.name, sizeof source.name, "hwmon:%s%s%s%s%.40s", c->name,
	         *c->card ? "@" : "", c->card, *label ? ":" : "", label);
	return source;
}

/* Counters: of amd_energy every socket, not their cores as well; of others the first, the whole
 * card where there are several. */
static bool add_counters(omt_energy_sources *found, const chip *c)
{
	const size_t before = found->count;
	for (int i = 1; i <= MOST_SENSORS; i++) {
		char file[40], name[40], label[48];
		snprintf(file, sizeof file, "energy%d_input", i);
		snprintf(name, sizeof name, "energy%d_label", i);
		read_text(c->folder, name, label, sizeof label);
		const bool socket = begins(label, "Esocket");
		if (!socket && (begins(label, "Ecore") || found->count > before))
			continue;
		const omt_energy_source source = source_of(c, label, false);
		add(found, &source, c->folder, file);
	}
	return found->count > before;
}

/* The first power that is measured: Alveo's second one is what its clock is steered to. */
static void add_power(omt_energy_sources *found, const chip *c)
{
	for (int i = 1; i <= MOST_SENSORS; i++) {
		static const char *const kinds[] = {"input", "average"};
		char file[40], name[40], label[48];
		snprintf(name, sizeof name, "power%d_label", i);
		read_text(c->folder, name, label, sizeof label);
		if (strstr(label, "TARGET"))
			continue;
		const omt_energy_source source = source_of(c, label, true);
		for (size_t k = 0; k < 2; k++) {
			snprintf(file, sizeof file, "power%d_%s", i, kinds[k]);
			if (add(found, &source, c->folder, file))
				return;
		}
	}
}

static void visit_chip(omt_energy_sources *found, const char *folder, const char *name)
{
	char link[PATH_MAX + 300], target[PATH_MAX];
	chip c = {.card = ""};
	snprintf(c.folder, sizeof c.folder, "%s/%s", folder, name);
	read_text(c.folder, "name", c.name, sizeof c.name);
	snprintf(link, sizeof link, "%s/device", c.folder);
	if (realpath(link, target))
		find_card(target, c.card);
	if (is_processor(c.name))
		c.card[0] = '\0';
	/* Batteries and chargers say in `type` what they are. */
	if (is_there(link, "type") || (c.card[0] && has_card(found, c.card)))
		return;
	/* What else the host has lies behind what rapl counts, or includes it. */
	for (size_t i = 0; !c.card[0] && i < found->count; i++)
		if (begins(found->list[i].name, "rapl:"))
			return;
	if (!add_counters(found, &c))
		add_power(found, &c);
}

/* ---- all ---- */

void omt_energy_sources_find(const char *root, omt_energy_sources *found)
{
	*found = (omt_energy_sources){0};
	find_rapl(root, found);
	for_each(root, "bus/pci/devices", found, visit_pci);
	for_each(root, "class/hwmon", found, visit_chip);
}

void omt_energy_sources_close(omt_energy_sources *found)
{
	for (size_t i = 0; i < found->count; i++)
		close(found->list[i].file);
	found->count = 0;
}
