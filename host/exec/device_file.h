/* device_file.h - a device as a file of configs/devices/ describes it: what it has and how fast it
 * is. `omnitile plan` lays a batch out for it, backend "model" takes its time. */
#ifndef OMT_EXEC_DEVICE_FILE_H
#define OMT_EXEC_DEVICE_FILE_H

#include "exec/backend.h"

typedef struct omt_device_speed {
	double peak_gflops, bandwidth_gbs; /* of the device and its memory; 0: not known */
	double link_gbs; /* between host and device, each way; as bandwidth_gbs if not said */
	int64_t fails_after_ops; /* 0: never; to try what a run does then */
} omt_device_speed;

/* Whether a device's name is that of a file (*.yaml). */
bool omt_is_device_file(const char *device);

/* Unknown keys are errors; absent ones are 0, panel and compute_units 1. */
omt_status omt_device_file_load(const char *path, omt_backend_info *info, omt_device_speed *speed,
                                omt_error *err);

#endif
