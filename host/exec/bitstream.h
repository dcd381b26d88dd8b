/* bitstream.h - bitstreams/manifest.yaml: which binary fits which card, and what it was made of.
 *
 * bitstreams/README.md describes the keys. A manifest is read as a whole, and what is wrong in it
 * is an error with file and line; whether an entry can be used here (contract, kernels, digest) is
 * asked when it is loaded, so that an old entry costs nobody the others. Refusals are one line:
 * manifest:line, the entry's name, its file, both values. */
#ifndef OMT_EXEC_BITSTREAM_H
#define OMT_EXEC_BITSTREAM_H

#include "base/digest.h"
#include "base/file.h"
#include "exec/hls_params.h"
#include "exec/op.h"

#define OMT_BITSTREAM_NAMES 8  /* kernels that make one op */
#define OMT_BITSTREAM_UNITS 16 /* compute units of one op */
#define OMT_BITSTREAM_BANKS 64 /* memory banks of a card */

typedef enum omt_flow { OMT_FLOW_xrt, OMT_FLOW_intel, OMT_FLOW_opencl, OMT_FLOW_COUNT } omt_flow;

/* How an op runs on the card. */
typedef struct omt_bitstream_kernel {
	int32_t units; /* compute units, each of all its kernels; 0: the op is not in the binary */
	char names[OMT_BITSTREAM_NAMES][64]; /* its kernels, enqueued together */
	int32_t name_count;
	/* Banks of the card's memory that every argument of every unit reaches: a buffer of the op
	 * may lie in any of them. */
	int32_t banks[OMT_BITSTREAM_BANKS], bank_count;
	omt_hls_params params;
	int line;
} omt_bitstream_kernel;

typedef struct omt_bitstream {
	char name[64]; /* of the entry, unique */
	char card[64]; /* configs/devices/<card>.yaml */
	omt_flow flow;
	char target[16];                 /* omt_flow_infos has each flow's */
	char platform[128], device[128]; /* parts of the names, in any case; "": any */
	int32_t contract;                /* OMT_CONTRACT_VERSION that it was made for */
	char file[256];                  /* beside the manifest */
	char digest[OMT_DIGEST_TEXT];    /* SHA-256 of the file; "": not built */
	double clock_mhz;                /* of the kernels */
	double timeout_factor;           /* a kernel may take its predicted time times this, */
	int32_t timeout_floor_ms;        /* but at least so long */
	omt_bitstream_kernel kernels[OMT_OP_COUNT]; /* by op */
	char unknown[64]; /* the first kernel that is no op of ours; "": none */
	int line;
} omt_bitstream;

typedef struct omt_bitstreams {
	char *path;
	omt_bitstream *entries;
	size_t count;
} omt_bitstreams;

typedef struct omt_flow_info {
	const char *name;
	const char *targets[4]; /* NULL-terminated */
} omt_flow_info;
extern const omt_flow_info omt_flow_infos[OMT_FLOW_COUNT];

/* OMT_BITSTREAMS, else "bitstreams", and in it manifest.yaml; given, free(). NULL: no memory. */
char *omt_bitstreams_path(void);

omt_status omt_bitstreams_parse(const char *path, const char *text, size_t bytes,
                                omt_bitstreams *all, omt_error *err);
omt_status omt_bitstreams_load(const char *path, omt_bitstreams *all, omt_error *err);
void omt_bitstreams_free(omt_bitstreams *all);

/* The entry of this name; name NULL: of those that fit the device the first one that is built, else
 * the first one. Platform and device are what the driver calls them; both NULL: not asked. Nothing
 * that fits, or an entry that does not, is OMT_UNSUPPORTED. The entry stays `all`'s. */
omt_status omt_bitstreams_find(const omt_bitstreams *all, const char *name, const char *platform,
                               const char *device, const omt_bitstream **entry, omt_error *err);

/* What clCreateKernel() takes for kernel `name` (of kernel.names) of unit `unit`, from 0. xrt:
 * "gemm" of a single unit, else "gemm:{gemm_2}"; other flows, whose kernels have one unit each:
 * "gemm" is the first, "gemm_2" the second one. */
#define OMT_BITSTREAM_UNIT_TEXT 160
void omt_bitstream_unit(const omt_bitstream *entry, const omt_bitstream_kernel *kernel,
                        int32_t name, int32_t unit, char text[OMT_BITSTREAM_UNIT_TEXT]);

/* The file's path; given, free(). NULL: no memory. */
char *omt_bitstream_path(const omt_bitstreams *all, const omt_bitstream *entry);

/* Whether the entry's contract is ours and its kernels are ops of it: OMT_MISMATCH. */
omt_status omt_bitstream_check(const omt_bitstreams *all, const omt_bitstream *entry,
                               omt_error *err);

/* Checks the entry and maps its file, whose digest must be the entry's: OMT_MISMATCH. Not built is
 * OMT_UNSUPPORTED. omt_map_close(). */
omt_status omt_bitstream_load(const omt_bitstreams *all, const omt_bitstream *entry, omt_map *map,
                              omt_error *err);

/* After a build: writes `digest` and OMT_CONTRACT_VERSION as the entry's into the manifest at
 * `path`; the rest of its text stays as it is. Whole or not at all. */
omt_status omt_bitstreams_set_digest(const char *path, const char *name, const char *digest,
                                     omt_error *err);

#endif
