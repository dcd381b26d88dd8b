/* backend.h - the twelve functions that make a backend.
 *
 * A backend owns memory and runs ops on it, in the order given. One thread calls it. Commands may
 * return before they are done; a mark names a command for done(), wait() and
 * elapsed().
 *
 * OMT_STALLED: a command hangs and its op is not supported any more. All that was begun counts as
 * done, what it left in buffers that commands write is undefined; other buffers are as they were,
 * and the device can be used (exec/replay.h does the work again). */
#ifndef OMT_EXEC_BACKEND_H
#define OMT_EXEC_BACKEND_H

#include <stddef.h>

#include "base/status.h"
#include "exec/op.h"

typedef struct omt_backend omt_backend;

/* What a buffer is for; where it is best kept and what has to be ordered around it. */
typedef enum omt_usage {
	OMT_USAGE_WEIGHT, /* written before the first op, then only read */
	OMT_USAGE_WORK,   /* only ops write it */
	OMT_USAGE_SLOT    /* the host writes and reads it while ops on other buffers run */
} omt_usage;

/* Common head of every backend's buffers. */
struct omt_buffer {
	omt_backend *owner;
	size_t bytes;
};

/* What a device is and can do. */
typedef struct omt_backend_info {
	char backend[16];   /* "opencl" */
	char device[128];   /* "cpu-... AMD EPYC", or the BLAS and its core name */
	char platform[128]; /* "Portable Computing Language" */
	char driver[64], version[128];
	char type[16];        /* "cpu", "gpu", "accelerator", "other" */
	int32_t vector_width; /* floats of a register, as the runtime tells it */
	uint64_t memory_bytes, max_alloc_bytes;
	int32_t compute_units;
	int32_t panel;       /* rows a panel of packed weights; 1: row-major weights as they are */
	int32_t tile_rows;   /* rows of C that one step of gemm makes; 0: no tiles */
	bool asynchronous;   /* commands may return before they are done */
	int32_t part, parts; /* which part of a divided device, from 1; 0: a whole one */
	const void *memory;  /* devices of one memory use each other's buffers; NULL: its own */
	/* The device's memory is the host's: what alloc() borrows is used where it lies if that is
	 * at a multiple of OMT_IN_PLACE_ALIGN (backends on the host: anywhere). */
	bool in_place;
	double build_s;     /* what building its kernels, or loading them, took */
	bool may_stall;     /* its functions may return OMT_STALLED */
	char bitstream[64]; /* entry of bitstreams/manifest.yaml; empty: built kernels */
} omt_backend_info;

#define OMT_IN_PLACE_ALIGN 4096
#define OMT_MAX_DEVICES    32 /* used at once */

typedef struct omt_backend_options {
	const char *device; /* as in omt_engine_options; NULL: OMT_DEVICE */
	const char *tiles;  /* of OpenCL kernels; NULL: OMT_TILES */
	/* Entry of bitstreams/manifest.yaml (exec/bitstream.h) whose binary is the OpenCL program;
	 * NULL: OMT_BITSTREAM, else one that fits where a device cannot build kernels; "": none. */
	const char *bitstream;
	int32_t threads; /* for ops on the host; 0: all cores */
	/* Gets why a device that was found did not open, where the chain may go on without it; its
	 * status is OMT_OK before. NULL: nobody asks. */
	omt_error *left_out;
} omt_backend_options;

/* The devices that are asked for: the option's, else OMT_DEVICE; NULL: nobody asked. */
const char *omt_backend_device(const omt_backend_options *options);
/* The same of an entry of bitstreams/manifest.yaml. */
const char *omt_backend_bitstream(const omt_backend_options *options);

#define OMT_MARKS 64 /* marks remembered; older ones count as done and take 0 s */

typedef struct omt_backend_class {
	const char *name;
	/* Opens the devices that the options name, of more than `most` the first ones; a backend
	 * that knows no devices is one. selves[0 .. *count - 1] are given. */
	omt_status (*open)(const omt_backend_options *options, int32_t most, omt_backend **selves,
	                   int32_t *count, omt_error *err);
	void (*close)(omt_backend *self);
	void (*info)(const omt_backend *self, omt_backend_info *info);
	/* Whether run() can do this op with these scalars (buffers are not looked at). */
	bool (*supports)(const omt_backend *self, omt_op op, const void *args);
	/* `borrowed`: content that stays valid and unchanged as long as the buffer; the backend may
	 * use it in place or copy it; NULL: uninitialised memory. */
	omt_status (*alloc)(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
	                    omt_buffer **buffer, omt_error *err);
	void (*free)(omt_backend *self, omt_buffer *buffer); /* NULL is allowed */
	/* `data` must stay until the mark is done (or wait(0)). */
	omt_status (*write)(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
	                    size_t bytes, uint64_t *mark, omt_error *err);
	omt_status (*read)(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
	                   size_t bytes, uint64_t *mark, omt_error *err);
	/* args: the op's omt_<op>_args, borrowed during the call. mark may be NULL. */
	omt_status (*run)(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
	                  omt_error *err);
	/* Whether wait(mark) would return at once. */
	bool (*done)(omt_backend *self, uint64_t mark);
	omt_status (*wait)(omt_backend *self, uint64_t mark, omt_error *err); /* 0: everything */
	/* Seconds from the start of command `first` to the end of `last`, both done. */
	double (*elapsed)(omt_backend *self, uint64_t first, uint64_t last);
} omt_backend_class;

struct omt_backend {
	const omt_backend_class *class;
};

extern const omt_backend_class omt_backend_ref;      /* plain C, the definition of right */
extern const omt_backend_class omt_backend_openblas; /* gemm and attention through OpenBLAS */
extern const omt_backend_class omt_backend_opencl;
extern const omt_backend_class omt_backend_hls;   /* hls/ in simulation: a card's arithmetic */
extern const omt_backend_class omt_backend_model; /* computes nothing: a device's time */

/* ref's, openblas's and hls's buffers are host memory; this is where it lies. */
void *omt_host_buffer_data(const omt_buffer *buffer);

#endif
