/* portable.h - what a kernel of hls/ needs beyond the common subset of C, for each compiler that
 * takes it. A kernel includes this file and device/contract.h, nothing else.
 *
 *   gcc, clang      simulation: void hls_<op>(...); with HLS_COUNTING it counts what it does
 *   Vitis HLS (C)   void <op>(...), pragmas, memory bundles by HLS_BUNDLE_* (__VITIS_HLS__)
 *   Bambu           the same without pragmas (HLS_PLAIN)
 *   OpenCL C 1.2    __kernel void <op>(...), a single work-item: Intel FPGA, PoCL
 *
 * A kernel's file reads: default parameters (#ifndef HLS_WIDTH ...), this header, the op.
 * Parameters that it does not set are 1 here:
 *
 * - HLS_PE: processing elements
 * - HLS_WIDTH: elements of a vector, what one step takes
 * - HLS_ROWS: rows of a tile
 * - HLS_COLS: columns of a tile; of row ops: the longest row
 * - HLS_DEPTH: block of the third dimension (k, keys)
 *
 * The subset: no recursion, no malloc, no pointers to pointers, arrays of constant size, no
 * function of the C library but those below; buffers are HLS_GLOBAL. */
#ifndef HLS_PORTABLE_H
#define HLS_PORTABLE_H

#include "../device/contract.h"

#ifndef HLS_PE
#define HLS_PE 1
#endif
#ifndef HLS_WIDTH
#define HLS_WIDTH 1
#endif
#ifndef HLS_ROWS
#define HLS_ROWS 1
#endif
#ifndef HLS_COLS
#define HLS_COLS 1
#endif
#ifndef HLS_DEPTH
#define HLS_DEPTH 1
#endif

/* ---- which compiler ---- */

#if defined(__OPENCL_VERSION__) || defined(__OPENCL_C_VERSION__)
#define HLS_OPENCL 1
#elif defined(__VITIS_HLS__) || defined(__SYNTHESIS__)
#define HLS_VITIS 1
#elif !defined(HLS_PLAIN) && !defined(HLS_SIMULATION)
#define HLS_SIMULATION 1
#endif

/* HLS_CHANNELS: kernels of a program can be joined by queues. HLS_EMULATION (told by who compiles):
 * a CPU runs the program, loops are left to its compiler. */
#if defined(cl_intel_channels) || defined(INTELFPGA_CL)
#define HLS_CHANNELS 1
#pragma OPENCL EXTENSION cl_intel_channels : enable
#endif

#ifdef HLS_OPENCL
typedef ulong hls_u64;
typedef uint hls_u32;
typedef ushort hls_u16;
typedef uchar hls_u8;
typedef char hls_i8;
typedef short hls_i16;
typedef long hls_at; /* of an element of a buffer */
#define HLS_GLOBAL   __global
#define HLS_CONSTANT __constant
#else
#include <math.h>
#include <stdint.h>
typedef uint64_t hls_u64;
typedef uint32_t hls_u32;
typedef uint16_t hls_u16;
typedef uint8_t hls_u8;
typedef int8_t hls_i8;
typedef int16_t hls_i16;
typedef int64_t hls_at;
#define HLS_GLOBAL
#define HLS_CONSTANT static const
#endif

/* ---- pragmas ---- */

#define HLS_PRAGMA(text) _Pragma(#text)

/* First in a loop's body: a new iteration begins every cycle; loops inside are unrolled. */
#ifdef HLS_VITIS
#define HLS_PIPELINE HLS_PRAGMA(HLS pipeline II = 1)
/* A new iteration begins every `cycles`: so many reads or writes of it go through one port. */
#define HLS_PIPELINE_EVERY(cycles) HLS_PRAGMA(HLS pipeline II = cycles)
/* First in a function, after the declarations of arrays: dimension `of` (from 1; 0: all) of an
 * array becomes registers or memories of their own. */
#define HLS_PARTITION(array, of) HLS_PRAGMA(HLS array_partition variable = array complete dim = of)
/* First in a loop's body: no iteration uses another one's elements of the array, or of a buffer
 * that has a bundle to itself. HLS_APART: none uses what one fewer than `cycles` before it wrote;
 * so long, and no longer, an addition may take.
 */
#define HLS_INDEPENDENT(array) HLS_PRAGMA(HLS dependence variable = array inter false)
#define HLS_APART(array, cycles) \
	HLS_PRAGMA(HLS dependence variable = array inter RAW distance = cycles true)
/* First in the body of a loop: its calls run at the same time, each on an iteration of its own, and
 * the arrays between them, declared in the body, are doubled. UG1399's canonical form, or Vitis
 * makes something else of it: the loop is all that its function has, counts from 0 to an argument
 * in steps of 1, and has nothing but such arrays and calls with plain variables. */
#define HLS_DATAFLOW HLS_PRAGMA(HLS dataflow)
#define HLS_INLINE   HLS_PRAGMA(HLS inline)
/* First in a function that returns HLS_REGISTER(its argument): a register between two places. */
#define HLS_HOP                         \
	HLS_PRAGMA(HLS inline off)      \
	HLS_PRAGMA(HLS pipeline II = 1) \
	HLS_PRAGMA(HLS latency min = 1 max = 1)
#else
#define HLS_PIPELINE
#define HLS_PIPELINE_EVERY(cycles)
#define HLS_PARTITION(array, dim)
#define HLS_INDEPENDENT(array)
#define HLS_APART(array, cycles)
#define HLS_DATAFLOW
#define HLS_INLINE
#define HLS_HOP
#endif

/* Before a loop: all its iterations at once (Vitis does that inside a pipelined loop by itself);
 * HLS_NO_CONFLICT: iterations fewer than HLS_PARTIALS apart touch different elements of every array
 * and buffer; HLS_NO_CONFLICT_IN: fewer than `cycles` apart, of this array. */
#if defined(HLS_OPENCL) && !defined(HLS_EMULATION)
#define HLS_UNROLL HLS_PRAGMA(unroll)
#else
#define HLS_UNROLL
#endif
#if defined(HLS_CHANNELS) && !defined(HLS_EMULATION)
#define HLS_NO_CONFLICT                    HLS_PRAGMA(ivdep safelen(16))
#define HLS_NO_CONFLICT_IN(array_, cycles) HLS_PRAGMA(ivdep array(array_) safelen(cycles))
#define HLS_REGISTER(x)                    __fpga_reg(x)
/* Behind an array: it is registers, an element can be read in the cycle after it is written. */
#define HLS_REGISTERS __attribute__((register))
#else
#define HLS_NO_CONFLICT
#define HLS_NO_CONFLICT_IN(array_, cycles)
#define HLS_REGISTER(x) (x)
#define HLS_REGISTERS
#endif

/* ---- the top function ---- */

/* HLS_KERNEL(l2norm, OMT_L2NORM) { HLS_PORTS(OMT_L2NORM) ... }: the contract's argument list. */
#define HLS_f32 float
#define HLS_i32 int
#define HLS_u8  hls_u8
#define HLS_IN  const
#define HLS_OUT
#define HLS_INOUT
#define HLS_BUFFER(access, type, name) HLS_GLOBAL HLS_##access HLS_##type *name
#define HLS_SCALAR(type, name)         HLS_##type name
#define HLS_ARGS(LIST)                 LIST(HLS_BUFFER, HLS_SCALAR, OMT_COMMA)
/* To hand all of them on to a stage: stage(HLS_PASS(OMT_GEMM)). */
#define HLS_PASS_BUFFER(access, type, name) name
#define HLS_PASS_SCALAR(type, name)         name
#define HLS_PASS(LIST)                      LIST(HLS_PASS_BUFFER, HLS_PASS_SCALAR, OMT_COMMA)

/* op_part, both expanded before. */
#define HLS_JOINED(op, part) op##_##part
#define HLS_JOIN(op, part)   HLS_JOINED(op, part)

#if defined(HLS_OPENCL)
/* HLS_UNIT: which of the op's compute units this is, where a unit is a kernel of its own; the first
 * has the op's name. */
#ifdef HLS_UNIT
#define HLS_NAME(op) HLS_JOIN(op, HLS_UNIT)
#else
#define HLS_NAME(op) op
#endif
#ifdef HLS_CHANNELS
#define HLS_TASK __attribute__((max_global_work_dim(0))) __kernel
#else
#define HLS_TASK __attribute__((reqd_work_group_size(1, 1, 1))) __kernel
#endif
#define HLS_KERNEL(op, LIST) HLS_TASK void HLS_NAME(op)(HLS_ARGS(LIST))
#elif defined(HLS_SIMULATION)
#define HLS_NAME(op) hls_##op
#define HLS_KERNEL(op, LIST)                                                                \
	const int32_t hls_params_##op[HLS_PARAMS] = {HLS_PE, HLS_WIDTH, HLS_ROWS, HLS_COLS, \
	                                             HLS_DEPTH};                            \
	void hls_##op(HLS_ARGS(LIST));                                                      \
	void hls_##op(HLS_ARGS(LIST))
#else
#define HLS_NAME(op) op
#define HLS_KERNEL(op, LIST)     \
	void op(HLS_ARGS(LIST)); \
	void op(HLS_ARGS(LIST))
#endif

/* Memory bundles: buffers of a kernel that have the same number here share a port to memory
 * (m_axi), which reads and writes at the same time. v++ takes 15 ports on a bank, and a port takes
 * as much of a card as a small kernel. So one does, but where a loop writes two buffers in each
 * iteration (the results of topk), where one is changed in place (rotary's x: Vitis takes no word
 * on the independence of a buffer that shares its bundle), or where functions of a dataflow region
 * read at the same time (Vitis takes a bundle in one of them: operands of gemm and its drain). The
 * host counts ports and writes them down by this table, too (host/exec/op.h). */
#define HLS_BUNDLES           3 /* of a kernel, at most */
#define HLS_BUNDLE_a          1
#define HLS_BUNDLE_a_scale    0
#define HLS_BUNDLE_bias       0
#define HLS_BUNDLE_bound      0
#define HLS_BUNDLE_c          0
#define HLS_BUNDLE_cosines    1
#define HLS_BUNDLE_cu_in      0
#define HLS_BUNDLE_cu_out     0
#define HLS_BUNDLE_cu_seqlens 0
#define HLS_BUNDLE_dst        0
#define HLS_BUNDLE_dst_index  0
#define HLS_BUNDLE_index      1
#define HLS_BUNDLE_k          0
#define HLS_BUNDLE_order      0
#define HLS_BUNDLE_out        0
#define HLS_BUNDLE_pixels     0
#define HLS_BUNDLE_places     0
#define HLS_BUNDLE_q          0
#define HLS_BUNDLE_residual   0
#define HLS_BUNDLE_scale      0
#define HLS_BUNDLE_sines      1
#define HLS_BUNDLE_src        0
#define HLS_BUNDLE_src_index  0
#define HLS_BUNDLE_table      0
#define HLS_BUNDLE_v          0
#define HLS_BUNDLE_values     0
#define HLS_BUNDLE_w          2
#define HLS_BUNDLE_weight     0
#define HLS_BUNDLE_x          0

/* First in the top: buffers in their bundles with long bursts, scalars in registers. */
#ifdef HLS_VITIS
#define HLS_PRAGMA_OF(text) HLS_PRAGMA(text) /* of the macros' values */
#define HLS_BUNDLED_IN(port_, number)                                                 \
	HLS_PRAGMA_OF(HLS interface m_axi port = port_ bundle = gmem##number offset = \
	                      slave max_widen_bitwidth = 512 max_read_burst_length =  \
	                              64 max_write_burst_length = 64)
#define HLS_BUNDLED(port_, number) HLS_BUNDLED_IN(port_, number)
#define HLS_PORT_BUFFER(access, type, name)  \
	HLS_BUNDLED(name, HLS_BUNDLE_##name) \
	HLS_PRAGMA(HLS interface s_axilite port = name)
#define HLS_PORT_SCALAR(type, name) HLS_PRAGMA(HLS interface s_axilite port = name)
#define HLS_PORTS(LIST)                                     \
	LIST(HLS_PORT_BUFFER, HLS_PORT_SCALAR, OMT_NOTHING) \
	HLS_PRAGMA(HLS interface s_axilite port = return )
#else
#define HLS_PORTS(LIST)
#endif

/* ---- channels (HLS_CHANNELS) ---- */

/* A queue of `depth` elements (or more) from one kernel to another one of the same op, between
 * their functions: HLS_CHANNEL(gemm_column, columns, 64). Its writer and its reader run at the same
 * time and pass the same number of elements at every launch. In emulation a kernel that waits at a
 * full or empty queue would spin until the system takes its core away: three kernels on two cores
 * pass a few elements in a time slice. There it gives the core back instead; the emulator finds
 * sched_yield() in the process. */
#ifdef HLS_CHANNELS
#define HLS_QUEUE(type, name, depth_) channel type HLS_NAME(name) __attribute__((depth(depth_)));
#ifdef HLS_EMULATION
/* Longer queues, fewer turns: a quarter of the processor time for a whole model. */
#define HLS_CHANNEL(type, name, depth) HLS_QUEUE(type, name, 64 * (depth))
int sched_yield(void);
#define HLS_CHANNEL_READ(name, to)                                                   \
	do {                                                                         \
		bool read_;                                                          \
		while ((to) = read_channel_nb_intel(HLS_NAME(name), &read_), !read_) \
			sched_yield();                                               \
	} while (0)
#define HLS_CHANNEL_WRITE(name, value)                                   \
	do {                                                             \
		while (!write_channel_nb_intel(HLS_NAME(name), (value))) \
			sched_yield();                                   \
	} while (0)
#else
#define HLS_CHANNEL(type, name, depth) HLS_QUEUE(type, name, depth)
#define HLS_CHANNEL_READ(name, to)     ((to) = read_channel_intel(HLS_NAME(name)))
#define HLS_CHANNEL_WRITE(name, value) write_channel_intel(HLS_NAME(name), (value))
#endif
#endif

/* ---- what a simulation counts ---- */

/* Parameters in the order of host/exec/hls_params.h. */
#define HLS_PARAMS 5
/* Stages: HLS_LOAD brings operands on the chip, HLS_COMPUTE, HLS_STORE takes results off it. */
#define HLS_LOAD    0
#define HLS_COMPUTE 1
#define HLS_STORE   2
#define HLS_STAGES  3

/* Once in each iteration of a pipelined loop: HLS_TRIP(HLS_COMPUTE). At accesses of buffers:
 * HLS_READ(bytes), HLS_WRITE(bytes). host/exec/hls_cost.h predicts the sums. */
#ifdef HLS_SIMULATION
typedef struct hls_counts {
	uint64_t trips[HLS_STAGES], read_bytes, written_bytes;
} hls_counts;
extern __thread hls_counts hls_count; /* of the calling thread; whoever links kernels has it */
#endif
#if defined(HLS_SIMULATION) && defined(HLS_COUNTING)
#define HLS_TRIP(stage)  ((void)hls_count.trips[stage]++)
#define HLS_READ(bytes)  ((void)(hls_count.read_bytes += (uint64_t)(bytes)))
#define HLS_WRITE(bytes) ((void)(hls_count.written_bytes += (uint64_t)(bytes)))
#else
#define HLS_TRIP(stage)  ((void)0)
#define HLS_READ(bytes)  ((void)0)
#define HLS_WRITE(bytes) ((void)0)
#endif

/* ---- arithmetic ---- */

#ifdef HLS_OPENCL
#pragma OPENCL FP_CONTRACT OFF /* the simulation's bits */
#define hls_expf(x)       exp(x)
#define hls_sqrtf(x)      sqrt(x)
#define hls_bits_float(u) as_float(u)
#define hls_float_bits(f) as_uint(f)
#else
#define hls_expf(x)  expf(x)
#define hls_sqrtf(x) sqrtf(x)
typedef union hls_word {
	hls_u32 bits;
	float number;
} hls_word;
static inline float hls_bits_float(hls_u32 bits)
{
	hls_word word;
	word.bits = bits;
	return word.number;
}
static inline hls_u32 hls_float_bits(float number)
{
	hls_word word;
	word.number = number;
	return word.bits;
}
#endif
#define hls_rsqrtf(x) (1.0f / hls_sqrtf(x))

#define HLS_MIN(a, b)     ((a) < (b) ? (a) : (b))
#define HLS_MAX(a, b)     ((a) > (b) ? (a) : (b))
#define HLS_DIVIDED(a, b) (((a) + (b)-1) / (b)) /* rounded up */

/* ---- vectors of a row ---- */

/* HLS_WIDTH elements of a buffer from `at` on, of a row that ends in `left` elements: no others are
 * touched, those past the end are zero. */
static inline void hls_load(HLS_GLOBAL const float *from, hls_at at, int left, float to[HLS_WIDTH])
{
	HLS_INLINE
	HLS_READ(4 * HLS_MIN(HLS_WIDTH, HLS_MAX(left, 0)));
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++)
		to[w] = w < left ? from[at + w] : 0;
}
static inline void hls_store(const float from[HLS_WIDTH], HLS_GLOBAL float *to, hls_at at, int left)
{
	HLS_INLINE
	HLS_WRITE(4 * HLS_MIN(HLS_WIDTH, HLS_MAX(left, 0)));
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++)
		if (w < left)
			to[at + w] = from[w];
}

/* ---- rows of int8 ---- */

/* Lane by lane the largest magnitude of a row's vectors, of which this is the i-th: magnitudes are
 * in the order of their bits. */
static inline void hls_measure(const float vector[HLS_WIDTH], int i, hls_u32 most[HLS_WIDTH])
{
	HLS_INLINE
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++) {
		const hls_u32 bits = hls_float_bits(vector[w]) & 0x7fffffff;
		most[w] = i == 0 ? bits : HLS_MAX(most[w], bits);
	}
}
/* The lanes' largest; the factor that takes it to 127. */
static inline float hls_largest(const hls_u32 most[HLS_WIDTH])
{
	HLS_INLINE
	hls_u32 all = 0;
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++)
		all = HLS_MAX(all, most[w]);
	return hls_bits_float(all);
}
#define HLS_I8_FACTOR(most) ((most) > 0 ? 127.0f / (most) : 0)
/* A vector times the factor, rounded to nearest even (1.5 x 2^23 leaves the integer in the low
 * bits); of the `left` bytes of the row those past `used` are zero. */
static inline void hls_store_i8(const float from[HLS_WIDTH], float factor, HLS_GLOBAL hls_u8 *to,
                                hls_at at, int used, int left)
{
	HLS_INLINE
	HLS_WRITE(HLS_MIN(HLS_WIDTH, left));
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++)
		if (w < left)
			to[at + w] =
				w < used ? (hls_u8)hls_float_bits(from[w] * factor + 12582912.0f)
					 : 0;
}

/* ---- sums of rows ---- */

/* Partial sums of a row, taken in turn: a float adder's latency is at most so many cycles, so that
 * a new addition begins every cycle. HLS_NO_CONFLICT has the number, too. */
#define HLS_PARTIALS 16
/* Cycles from one addition to an int32 in on-chip memory to the next: read, add, write. */
#define HLS_LATENCY_I32 4

/* Adds to the partial sums of one lane in step i of a row; they need not be cleared before. */
#define HLS_ADD(partial, i, w, value)       \
	((partial)[(i) % HLS_PARTIALS][w] = \
	         ((i) < HLS_PARTIALS ? 0 : (partial)[(i) % HLS_PARTIALS][w]) + (value))

/* The sum of `count` values, a power of two, pair by pair in place. */
static inline float hls_tree(float *values, int count)
{
	HLS_INLINE
	HLS_UNROLL
	for (int apart = count / 2; apart > 0; apart /= 2) {
		HLS_UNROLL
		for (int i = 0; i < apart; i++)
			values[i] += values[i + apart];
	}
	return values[0];
}

/* The sum of the partial sums after `steps` steps: HLS_PARTIALS cycles, then the adders of a tree.
 */
static inline float hls_sum(float partial[HLS_PARTIALS][HLS_WIDTH], int steps)
{
	float sums[HLS_PARTIALS];
	HLS_PARTITION(sums, 0)
	for (int i = 0; i < HLS_PARTIALS; i++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_COMPUTE);
		float lanes = 0;
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++)
			lanes += i < steps ? partial[i][w] : 0;
		sums[i] = lanes;
	}
	return hls_tree(sums, HLS_PARTIALS);
}

/* ---- buffers of bytes ---- */

/* Elements of u8 buffers are put together byte by byte: no port is cast, no alignment asked for.
 * hls_take*: the i-th 2-byte or 4-byte word; hls_bits, hls_put: element i of 1, 2 or 4 bytes;
 * hls_number: element i in a storage format. */
static inline hls_u32 hls_take2(HLS_GLOBAL const hls_u8 *from, hls_at i)
{
	return (hls_u32)from[2 * i] | (hls_u32)from[2 * i + 1] << 8;
}
static inline hls_u32 hls_take4(HLS_GLOBAL const hls_u8 *from, hls_at i)
{
	return hls_take2(from, 2 * i) | hls_take2(from, 2 * i + 1) << 16;
}

static inline hls_u32 hls_bits(HLS_GLOBAL const hls_u8 *from, int size, hls_at i)
{
	return size == 4 ? hls_take4(from, i) : size == 2 ? hls_take2(from, i) : from[i];
}
static inline void hls_put(hls_u32 bits, HLS_GLOBAL hls_u8 *to, int size, hls_at i)
{
	HLS_UNROLL
	for (int byte = 0; byte < 4; byte++)
		if (byte < size)
			to[i * size + byte] = (hls_u8)(bits >> (8 * byte));
}

/* IEEE 754 binary16, denormals too. */
static inline float hls_from_f16(hls_u32 f16)
{
	const hls_u32 sign = (f16 & 0x8000) << 16, power = f16 >> 10 & 31, rest = f16 & 0x3ff;
	const float small = (float)rest * (1.0f / 16777216);
	if (power == 0)
		return sign ? -small : small;
	return hls_bits_float(sign | (power == 31 ? 255 : power + 112) << 23 | rest << 13);
}

/* To bf16, to nearest even. */
static inline hls_u16 hls_to_bf16(float x)
{
	const hls_u32 bits = hls_float_bits(x);
	const int nan = (bits & 0x7fffffff) > 0x7f800000; /* stays one */
	return (hls_u16)(nan ? bits >> 16 | 64 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline float hls_number(HLS_GLOBAL const hls_u8 *from, int dtype, hls_at i)
{
	if (dtype == OMT_F32)
		return hls_bits_float(hls_take4(from, i));
	if (dtype == OMT_BF16)
		return hls_bits_float(hls_take2(from, i) << 16);
	if (dtype == OMT_F16)
		return hls_from_f16(hls_take2(from, i));
	return (float)(hls_i8)from[i];
}
#define HLS_BYTES_OF(dtype) \
	((dtype) == OMT_F32 ? 4 : (dtype) == OMT_I8 || (dtype) == OMT_I8X4 ? 1 : 2)

#endif
