/* ref.h - the ops in plain C: the definition of right (device/contract.h says what each does). One
 * op a file, ref_<op>.c; straight loops, f32 storage, sums accumulated in f32 unless a file says
 * why not. Pointers are borrowed and must be valid for the shapes given. */
#ifndef OMT_EXEC_REF_H
#define OMT_EXEC_REF_H

#include <stddef.h>
#include <stdint.h>

#include "device/contract.h"

#define OMT_REF_f32 float
#define OMT_REF_i32 int32_t
#define OMT_REF_u8  uint8_t
#define OMT_REF_IN  const
#define OMT_REF_OUT
#define OMT_REF_INOUT
#define OMT_REF_BUFFER(access, type, name) OMT_REF_##access OMT_REF_##type *name
#define OMT_REF_SCALAR(type, name)         OMT_REF_##type name
/* void ref_gemm(OMT_REF_ARGS(OMT_GEMM)) */
#define OMT_REF_ARGS(LIST) LIST(OMT_REF_BUFFER, OMT_REF_SCALAR, OMT_COMMA)

#define OMT_REF_PROTOTYPE(LIST, op) void ref_##op(OMT_REF_ARGS(LIST));
OMT_OP_LIST(OMT_REF_PROTOTYPE)
#undef OMT_REF_PROTOTYPE

#endif
