/* backend_calls.h - run() of a backend whose ops are functions of C on host memory. Before it is
 * included, once a file, OMT_FUNCTION(op) says what they are called: ref_##op. */
#include "base/clock.h"
#include "exec/backend_host.h"

/* ref_<op>(a, w, ..., m, n, ...) from an argument struct: a buffer is its memory, a scalar itself.
 */
#define OMT_CALL_BUFFER(access, type, name) omt_host_buffer_data(args->name)
#define OMT_CALL_SCALAR(type, name)         args->name
#define OMT_CALL(LIST, op)                                                           \
	static void call_##op(const void *any)                                       \
	{                                                                            \
		const omt_##op##_args *args = any;                                   \
		OMT_FUNCTION(op)(LIST(OMT_CALL_BUFFER, OMT_CALL_SCALAR, OMT_COMMA)); \
	}
OMT_OP_LIST(OMT_CALL)

static omt_status run_here(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                           omt_error *err)
{
#define OMT_CALLER(LIST, op) call_##op,
	static void (*const calls[OMT_OP_COUNT])(const void *) = {OMT_OP_LIST(OMT_CALLER)};
#undef OMT_CALLER
	(void)err;
	const double begin_s = omt_now_s();
	calls[op](args);
	if (mark)
		omt_host_mark(self, begin_s, mark);
	return OMT_OK;
}
