/* device_file.h - a device as a file of configs/devices/ describes it: what it has and how fast it
 * is (`omnitile plan` lays a batch out for it, backend "model" takes its time), which devices it is
 * an entry of the tuning database for, and their tiles.
 *
 *     device: what it is, a sentence
 *     memory_bytes: ..., max_alloc_bytes, compute_units, panel, tile_rows, backend
 *     peak_gflops: ..., bandwidth_gbs, link_gbs
 *     match: {platform: Portable, name: EPYC, version: avx512, type: cpu, vector_width: 16}
 *     tiles:
 *       gemm: {m: 16, wide: 1, rows: 8, panels: 16, k: 256}      # classes of opencl_tiles.h
 *     measured:
 *       gemm: {date: "2026-11-25", device: ..., driver: ..., gflops: 180.5, ratio: 1.04}
 *     card: ...                                                  # of an FPGA card: card.h
 *
 * Unknown keys, wrong types and values out of range are errors with file and line. */
#ifndef OMT_EXEC_DEVICE_FILE_H
#define OMT_EXEC_DEVICE_FILE_H

#include "exec/backend.h"
#include "exec/card.h"
#include "exec/opencl_tiles.h"

typedef struct omt_device_speed {
	double peak_gflops, bandwidth_gbs; /* of the device and its memory; 0: not known */
	double link_gbs; /* between host and device, each way; as bandwidth_gbs if not said */
	int64_t fails_after_ops; /* 0: never; to try what a run does then */
} omt_device_speed;

/* What `omnitile tune` found for a class. */
typedef struct omt_tile_record {
	char date[16], device[128], driver[64]; /* date "": not measured */
	double gflops;                          /* over the class's shapes */
	double ratio;                           /* to the tiles before, of the same run */
} omt_tile_record;

typedef struct omt_device_file {
	omt_backend_info info;
	omt_device_speed speed;
	bool matches;           /* there is a match section */
	omt_backend_info match; /* what it says; texts "" and 0: nothing */
	omt_cl_tile_set tiles;  /* 0: not said */
	omt_tile_record measured[OMT_CL_CLASS_COUNT];
	bool is_card; /* there is a card section */
	omt_card card;
} omt_device_file;

/* Whether a device's name is that of a file (*.yaml). */
bool omt_is_device_file(const char *device);

/* Of what the file does not say numbers are 0, panel and compute_units 1; with tiles, panel and
 * tile_rows are those of the OpenCL kernels; of a card, memory, bandwidth, link and peak (f32, at
 * the usual clock) follow from its section. `path` is for messages. */
omt_status omt_device_file_parse(const char *path, const char *text, size_t bytes,
                                 omt_device_file *file, omt_error *err);
omt_status omt_device_file_read(const char *path, omt_device_file *file, omt_error *err);
/* Of a file only what plan and backend "model" need. */
omt_status omt_device_file_load(const char *path, omt_backend_info *info, omt_device_speed *speed,
                                omt_error *err);

/* Writes device, match, tiles and measured as a file of the kind; whole or not at all. */
omt_status omt_device_file_write(const char *path, const omt_device_file *file, omt_error *err);

/* How well `match` fits a device, 0: not at all. It fits when all that it names does: texts as a
 * part in any case, a number as it is. Of name, version, platform, type, vector_width each counts
 * more than all after it together; an empty match fits everything, least. */
uint32_t omt_device_file_fits(const omt_device_file *file, const omt_backend_info *device);

#endif
