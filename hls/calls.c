/* calls.c - a kernel with its arguments in a table: what a launch of a unit is to the device
 * model (hls/device_model). Compiled once for each op of a library, with
 *     -DHLS_CALL_OP=gemm -DHLS_CALL_LIST=OMT_GEMM
 * it makes hls_call_gemm(arguments): arguments[i] is a buffer's memory or points at a scalar. */
#include "portable.h"

#define PASTE(a, b) a##b
#define CALL_OF(op) PASTE(hls_call_, op)
#define TOP_OF(op)  HLS_NAME(op)

/* Of the whole library. */
__attribute__((weak)) __thread hls_counts hls_count;

void TOP_OF(HLS_CALL_OP)(HLS_ARGS(HLS_CALL_LIST));
void CALL_OF(HLS_CALL_OP)(void *const *arguments);

#define TAKE_BUFFER(access, type, name) HLS_##type *const name = *arguments++;
#define TAKE_SCALAR(type, name)         const HLS_##type name = *(const HLS_##type *)*arguments++;

void CALL_OF(HLS_CALL_OP)(void *const *arguments)
{
	HLS_CALL_LIST(TAKE_BUFFER, TAKE_SCALAR, OMT_NOTHING)
	TOP_OF(HLS_CALL_OP)(HLS_PASS(HLS_CALL_LIST));
}
