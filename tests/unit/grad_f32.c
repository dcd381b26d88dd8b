/* The calls of grad_calls.h as the library has them. */
#define GRAD_TABLE grad_calls_f32
#include "tests/unit/grad_table.h"
