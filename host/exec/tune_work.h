/* tune_work.h - what a class of shapes is measured on: calls of the model's real sizes, their
 * buffers, and the results that the device's own tiles give. */
#ifndef OMT_EXEC_TUNE_WORK_H
#define OMT_EXEC_TUNE_WORK_H

#include "exec/opencl.h"

#define OMT_WORK_CALLS 10

typedef struct omt_work_call {
	union {
		omt_gemm_args gemm;
		omt_gemm_i8_args gemm_i8;
		omt_gemm_bf16_args gemm_bf16;
		omt_attention_args attention;
	} args;
	omt_buffer *buffers[6]; /* freed with the work */
	omt_buffer *out;        /* one of them */
	float *expected;        /* what the device's own tiles gave */
	size_t count;           /* floats of out */
	double flops;
	bool timed; /* others are for the check alone: odd sizes, all flags */
} omt_work_call;

typedef struct omt_work {
	omt_backend *backend;
	omt_cl_class class;
	omt_work_call calls[OMT_WORK_CALLS];
	size_t count;
} omt_work;

/* `quick`: the smallest of the sizes and the odd one. Buffers are made and the expected results
 * computed with the tiles that the backend uses now. On failure *work is empty. */
omt_status omt_work_open(omt_backend *backend, omt_cl_class class, bool quick, omt_work *work,
                         omt_error *err);
void omt_work_close(omt_work *work);

/* Runs every call once with the program in use; OMT_MISMATCH: one result differs from what was
 * expected, and where. gemm and gemm_i8 have to give the same bits, attention's sums over keys may
 * be cut otherwise. */
omt_status omt_work_check(const omt_work *work, omt_error *err);

/* seconds[i] of a run of call i, 0: not timed. One call after the other, a few times round: by the
 * time that a call's weights come again they have left the caches, as between a model's layers. */
omt_status omt_work_time(const omt_work *work, double *seconds, omt_error *err);

#endif
