/* opencl_backend.h - the OpenCL backend's inside: backend_opencl.c opens devices and runs ops,
 * opencl_memory.c has their buffers and what goes to them and comes from them. */
#ifndef OMT_EXEC_OPENCL_BACKEND_H
#define OMT_EXEC_OPENCL_BACKEND_H

#include "exec/opencl_card.h"

typedef struct omt_cl_buffer {
	omt_buffer base;
	cl_mem memory;
	omt_usage usage;
	bool tracked;     /* events order it: a slot, on a card any buffer */
	omt_cl_uses uses; /* if so */
	omt_cl_bank *bank;
	struct omt_cl_buffer *next; /* of those that went away */
} omt_cl_buffer;

typedef struct omt_cl {
	omt_backend base;
	omt_cl_device device;
	omt_backend_info info;
	omt_cl_tile_set tiles;
	cl_context context;
	omt_cl_order order;
	omt_cl_card *card; /* NULL: kernels are built */
	uint32_t probes;
	/* Buffers that were freed while commands hang that may still use them. */
	omt_cl_buffer *orphans;
	omt_buffer *probe; /* on a card: to see whether it is still there */
	cl_command_queue compute, upload, download;
	omt_cl_program programs[OMT_CL_CLASS_COUNT]; /* as many as classes have other tiles */
	/* Of each class, and of ops without tiles. */
	const omt_cl_program *program_of[OMT_CL_CLASS_COUNT + 1];
} omt_cl;

/* The backend's functions of these names. */
omt_status omt_cl_alloc(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                        omt_buffer **given, omt_error *err);
void omt_cl_free(omt_backend *self, omt_buffer *buffer);
/* Frees what was kept for commands that hang, if none does any more; lost: the device is not asked.
 */
void omt_cl_free_orphans(omt_cl *cl, bool lost);
omt_status omt_cl_write(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                        size_t bytes, uint64_t *mark, omt_error *err);
omt_status omt_cl_read(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                       size_t bytes, uint64_t *mark, omt_error *err);

/* On a card: whether a few bytes come back that are written into a buffer of at least one. */
#define OMT_CL_PROBE_BYTES 64
omt_status omt_cl_check_memory(omt_cl *cl, omt_buffer *buffer, size_t offset, omt_error *err);

#endif
