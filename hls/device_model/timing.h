/* timing.h - how long a launch or a copy would take on the card.
 *
 * A kernel's cycles are those of its formula. One without, that counts (hls/portable.h), has those
 * of its busiest stage: a trip a cycle, all stages at the same time. Its bytes go through the banks
 * that its buffers lie in:
 *   kernel   launch_us + memory_latency_ns + max(cycles / clock, bytes / (banks * memory_gbps))
 *   copy     link_latency_us + bytes / link_gbps
 * Units that share a bank do not slow each other down here. */
#ifndef OMT_HLS_DEVICE_MODEL_TIMING_H
#define OMT_HLS_DEVICE_MODEL_TIMING_H

#include "hls/device_model/settings.h"
#include "hls/device_model/worker.h"

typedef struct omt_modelled {
	double clock_mhz, cycles;
	double seconds;
} omt_modelled;

/* clock_mhz: the container's, used when the settings have none (0 in both: 300). */
omt_modelled omt_model_kernel(const omt_model_settings *settings, double clock_mhz,
                              const omt_landing *landing, size_t banks);
double omt_model_copy(const omt_model_settings *settings, uint64_t bytes);

#endif
