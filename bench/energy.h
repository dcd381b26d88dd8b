/* energy.h - what a stretch of a run costs in joules, where the machine tells.
 *
 * Sources, all under /sys; whatever is there is taken, each joule once:
 *   rapl   class/powercap/<control type>:<n>/energy_uj, a counter in microjoules that wraps at
 *          max_energy_range_uj (kernel: power/powercap): packages, and of their subzones dram,
 * which the package does not include. "psys" (the platform) includes the packages: left out where
 * there are any. AMD's are the same files. hwmon  class/hwmon/hwmon<n>/energy<m>_input, a counter
 * in microjoules; where a chip has none power<m>_input or power<m>_average, microwatts, sampled
 * (kernel: hwmon/sysfs-interface). Of AMD's amd_energy the sockets alone, and none where rapl tells
 * the packages. xrt    bus/pci/devices/<card>/xmc.<n>/xmc_power, microwatts, sampled: Alveo cards
 * (XRT's xocl and xclmgmt drivers; two functions of one card are one source). Power is sampled
 * every 20 ms by a thread that runs between begin and end, and integrated by the trapezoid rule.
 * What the machine does beside the run is in the figures. */
#ifndef OMT_BENCH_ENERGY_H
#define OMT_BENCH_ENERGY_H

#include <jansson.h>

#include "base/status.h"

typedef struct omt_energy omt_energy;

/* Finds the sources below `root`, "/sys" (NULL). That there are none is no failure. */
omt_status omt_energy_open(const char *root, omt_energy **energy, omt_error *err);
void omt_energy_close(omt_energy *energy);

/* A stretch: one at a time. end() gives {"joules", "joules_per_item" (where items > 0),
 * "host_joules", "device_joules" (of cards; where there are any), "sources": ["rapl:package-0",
 * ...]}, or
 * {"reason": "not available: ..."} with what stands in the way. Given, json_decref(); NULL: no
 * memory, or no begin() before. */
omt_status omt_energy_begin(omt_energy *energy, omt_error *err);
json_t *omt_energy_end(omt_energy *energy, uint64_t items);

#endif
