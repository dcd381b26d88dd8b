/* energy.h - what a stretch of a run costs in joules, where the machine tells.
 *
 * Sources, all under /sys; whatever is there is taken, each joule once:
 *   rapl   class/powercap/<type>:<n>/energy_uj, a counter in microjoules that wraps after
 *          max_energy_range_uj (kernel: power/powercap): packages, of Intel and of AMD, and of
 * their parts dram, which a package does not include; "psys" where there are no packages. xrt
 * bus/pci/devices/<function>/xmc.<n>/xmc_power, microwatts: Alveo cards (XRT's xocl and xclmgmt;
 * two functions of one card are one source). hwmon  class/hwmon/hwmon<n>: energy<m>_input, a
 * counter in microjoules (of amd_energy every socket), else the chip's first power<m>_input or
 * power<m>_average, microwatts (kernel: hwmon/sysfs-interface). Cards on PCI that xrt does not
 * tell; what belongs to the host only where rapl tells nothing; no batteries, no chargers. Power is
 * sampled every 20 ms by a thread that runs between begin and end, and integrated by the trapezoid
 * rule; the thread looks at counters every second, so that no wrap is missed. What the machine does
 * beside the run is in the figures. */
#ifndef OMT_BENCH_ENERGY_H
#define OMT_BENCH_ENERGY_H

#include <jansson.h>

#include "base/status.h"

typedef struct omt_energy omt_energy;

/* Finds the sources below `root`, "/sys" (NULL). That there are none is no failure. */
omt_status omt_energy_open(const char *root, omt_energy **energy, omt_error *err);
void omt_energy_close(omt_energy *energy);

/* A stretch, one at a time. end() gives {"joules", "joules_per_item" (of `items` > 0),
 * "host_joules", "device_joules" (cards', each where it has a source), "sources":
 * ["rapl:package-0", ...], "by_source": {"rapl:package-0": joules, ...}, "missing" (the first
 * source that could not be read, and why, if any)}, or {"reason": "not available: ..."} with what
 * stands in the way. Given, json_decref(); NULL: no memory, or no begin() before. */
omt_status omt_energy_begin(omt_energy *energy, omt_error *err);
json_t *omt_energy_end(omt_energy *energy, uint64_t items);

#endif
