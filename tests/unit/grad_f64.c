/* The calls of grad_calls.h in double: the reference's and the backward's own files, once more. */
#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/exponential.h"

#define float double
#define expf        exp
#define omt_exp     exp
#define omt_erf     erf
#define erff        erf
#define sqrtf       sqrt
#define fmaxf       fmax
#define rintf       rint
#define cblas_sgemm cblas_dgemm

#define ref_gemm      f64_ref_gemm
#define ref_attention f64_ref_attention
#define ref_rmsnorm   f64_ref_rmsnorm
#define ref_layernorm f64_ref_layernorm
#define ref_l2norm    f64_ref_l2norm
#define ref_rotary    f64_ref_rotary
#define ref_rows      f64_ref_rows
#define ref_unfold    f64_ref_unfold
#define ref_pairs     f64_ref_pairs
#define ref_pool      f64_ref_pool

#define omt_activate     f64_omt_activate
#define grad_act         f64_grad_act
#define grad_act_forward f64_grad_act_forward
#define grad_gemm        f64_grad_gemm
#define grad_attention   f64_grad_attention
#define grad_rmsnorm     f64_grad_rmsnorm
#define grad_layernorm   f64_grad_layernorm
#define grad_l2norm      f64_grad_l2norm
#define grad_rotary      f64_grad_rotary
#define grad_rows        f64_grad_rows
#define grad_unfold      f64_grad_unfold
#define grad_pairs       f64_grad_pairs
#define grad_pool        f64_grad_pool

#include "host/exec/activate.c"
#include "host/exec/ref_attention.c"
#include "host/exec/ref_gemm.c"
#include "host/exec/ref_l2norm.c"
#include "host/exec/ref_layernorm.c"
#include "host/exec/ref_pairs.c"
#include "host/exec/ref_pool.c"
#include "host/exec/ref_rmsnorm.c"
#include "host/exec/ref_rotary.c"
#include "host/exec/ref_rows.c"
#include "host/exec/ref_unfold.c"

#include "host/train/grad_act.c"
#include "host/train/grad_attention.c"
#include "host/train/grad_gemm.c"
#include "host/train/grad_l2norm.c"
#include "host/train/grad_layernorm.c"
#include "host/train/grad_pairs.c"
#include "host/train/grad_pool.c"
#include "host/train/grad_rmsnorm.c"
#include "host/train/grad_rotary.c"
#include "host/train/grad_rows.c"
#include "host/train/grad_unfold.c"

#define GRAD_TABLE grad_calls_f64
#include "tests/unit/grad_table.h"
