/* design.h - what a container holds, for the card: kernels, their registers, their compute units.
 *
 * From the XML of EMBEDDED_METADATA, which the shim dumps into a file; exec/xclbin.h reads it and
 * says what is in it. Used are: kernel name and hwControlProtocol, port mode slave (range), arg
 * id, offset, size and addressQualifier (0 scalar, 1 buffer), instance base, clock_mhz. */
#ifndef OMT_HLS_DEVICE_MODEL_DESIGN_H
#define OMT_HLS_DEVICE_MODEL_DESIGN_H

#include <stddef.h>

#include "base/status.h"

enum {
	OMT_DESIGN_NAME = 64, /* bytes of a name with its NUL, as in IP_LAYOUT */
	OMT_DESIGN_ARGS = 64,
	OMT_DESIGN_KERNELS = 128,
	OMT_DESIGN_UNITS = 128, /* as many as XRT's masks have */
	OMT_DESIGN_RANGE = 1 << 16,
};

typedef struct omt_design_arg {
	char name[OMT_DESIGN_NAME];
	uint32_t offset, bytes; /* in the registers */
	bool buffer;            /* a device address, else a scalar */
} omt_design_arg;

typedef struct omt_design_kernel {
	char name[OMT_DESIGN_NAME];
	uint32_t range; /* bytes of registers */
	bool chain;     /* ap_ctrl_chain: done stays until the host continues */
	size_t arg_count;
	omt_design_arg args[OMT_DESIGN_ARGS]; /* by id */
} omt_design_kernel;

typedef struct omt_design_unit {
	char name[OMT_DESIGN_NAME];
	size_t kernel; /* of kernels[] */
	uint64_t base;
} omt_design_unit;

typedef struct omt_design {
	double clock_mhz; /* of KERNEL_CLK; 0: not said */
	size_t kernel_count, unit_count;
	omt_design_kernel kernels[OMT_DESIGN_KERNELS];
	omt_design_unit units[OMT_DESIGN_UNITS];
} omt_design;

/* Ids are 0, 1, ... without gaps; arguments lie within the registers from 0x10 on and do not
 * overlap; no two units share an address. What breaks this is BAD_FORMAT with place and name. */
omt_status omt_design_read(const char *place, const char *text, size_t bytes, omt_design *design,
                           omt_error *err);

#endif
