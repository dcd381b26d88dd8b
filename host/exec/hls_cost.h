/* hls_cost.h - what a launch of a kernel of hls/ costs, as closed formulas: the same that the
 * kernel's comment states, and in simulation the same numbers as it counts (tests/op/harness.c
 * compares them after every op check).
 *
 * Each op's formulas are an omt_hls_formulas named omt_hls_<op>, in hls_cost_<kind>.c. */
#ifndef OMT_EXEC_HLS_COST_H
#define OMT_EXEC_HLS_COST_H

#include <stdbool.h>
#include <stddef.h>

#include "exec/hls_params.h"
#include "exec/op.h"
#include "hls/portable.h"

typedef struct omt_hls_cost {
	uint64_t trips[HLS_STAGES];         /* iterations of pipelined loops, by stage */
	uint64_t read_bytes, written_bytes; /* of buffers */
	/* Through the port that most goes through; not counted. Where a formula leaves it 0: the
	 * more of what is read and what is written, all of which goes through one. */
	uint64_t port_bytes;
	/* From start to done at the II of each loop (one iteration a cycle; two cycles where a step
	 * takes two vectors through one port) and memory that keeps up: stages that run at the same
	 * time count once, a pipeline's filling is left out. */
	uint64_t cycles;
} omt_hls_cost;

/* Of a launch with these scalars (its omt_buffers are not looked at). The work of some ops depends
 * on what is in buffers of integers, cu_seqlens above all: content[i] is what buffer i of the op
 * holds, or NULL. content NULL, or that of a buffer that matters: the most that the scalars allow;
 * of a pool's mean, whose rows no scalar bounds, one row a sequence. */
omt_hls_cost omt_hls_cost_of(omt_op op, const void *args, const omt_hls_params *params,
                             const int32_t *const *content);

/* Whether a kernel of these parameters can do it: rows that fit its memory. */
bool omt_hls_fits(omt_op op, const void *args, const omt_hls_params *params);

/* On-chip memory of a kernel in bits, by array: bits of its arrays, `banks` memories that can be
 * accessed at once. */
typedef struct omt_hls_array {
	const char *name;
	uint64_t words; /* of each bank */
	int32_t bits;   /* of a word */
	int32_t banks;  /* memories of that size, accessed at the same time */
} omt_hls_array;
#define OMT_HLS_ARRAYS 8
/* Returns how many. */
int32_t omt_hls_arrays_of(omt_op op, const omt_hls_params *params,
                          omt_hls_array arrays[OMT_HLS_ARRAYS]);
/* Cycles that additions to one sum of a gemm lie apart: no tile takes fewer steps. */
int32_t omt_hls_gemm_latency(omt_op op);
/* Multiply-adds (floating point, or of the op's data type) that a kernel does each cycle at most.
 */
int32_t omt_hls_multipliers_of(omt_op op, const omt_hls_params *params);

/* The formulas of one op; the functions above dispatch to them. */
typedef struct omt_hls_formulas {
	void (*cost)(const void *args, const omt_hls_params *params, const int32_t *const *content,
	             omt_hls_cost *cost);
	bool (*fits)(const void *args, const omt_hls_params *params); /* NULL: anything */
	int32_t (*arrays)(const omt_hls_params *params, omt_hls_array *arrays);
	int32_t (*multipliers)(const omt_hls_params *params); /* NULL: none */
} omt_hls_formulas;

/* Rounded up. */
static inline uint64_t omt_hls_divided(int32_t count, int32_t each)
{
	return (uint64_t)(count / each + (count % each > 0));
}

/* What buffer `name` of the op holds; NULL: not known. */
#define OMT_HLS_CONTENT(content, op, name) \
	((content) ? (content)[offsetof(omt_##op##_args, name) / sizeof(omt_buffer *)] : NULL)

#define OMT_HLS_FORMULAS(LIST, op) extern const omt_hls_formulas omt_hls_##op;
OMT_OP_LIST(OMT_HLS_FORMULAS)
#undef OMT_HLS_FORMULAS
const omt_hls_formulas *omt_hls_formulas_of(omt_op op);

/* Parameters that the simulation was built with (backend hls). */
omt_hls_params omt_hls_simulated(omt_op op);
/* What the calling thread's kernels have counted since they were last asked. */
omt_hls_cost omt_hls_counted(void);

#endif
