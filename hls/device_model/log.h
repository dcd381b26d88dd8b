/* log.h - the model's log: one JSON object a line, appended.
 *
 * A launch: {"kernel", "unit", "launch", "clock_mhz", "cycles", "modelled_s", "trips": [load,
 * compute, store], "read_bytes", "written_bytes", "banks", "wall_s"}; cycles and what follows from
 * them are null when the library does not count. At the end, for each direction of the link:
 * {"copies": "to card" or "from card", "count", "bytes", "modelled_s"}. */
#ifndef OMT_HLS_DEVICE_MODEL_LOG_H
#define OMT_HLS_DEVICE_MODEL_LOG_H

#include "hls/device_model/timing.h"

typedef struct omt_logged {
	const char *kernel, *unit;
	uint64_t launch; /* of the kernel, from 1 */
	size_t banks;
	double wall_s; /* of the simulation */
	const omt_modelled *modelled;
	const omt_landing *landing;
} omt_logged;

/* path "": nothing. What cannot be written is said once on stderr. */
void omt_model_log_launch(const char *path, const omt_logged *logged);
void omt_model_log_copies(const char *path, const char *direction, uint64_t count, uint64_t bytes,
                          double modelled_s);

#endif
