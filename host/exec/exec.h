/* exec.h - a chain of backends as one device.
 *
 * The first backend of the chain that can be opened owns all memory. An op that it does not support
 * runs on the next one that does: the op's buffers are copied to the host and back where the two do
 * not share memory. `ref` ends every chain and supports all. */
#ifndef OMT_EXEC_EXEC_H
#define OMT_EXEC_EXEC_H

#include "exec/backend.h"
#include "exec/opencl_tiles.h"

typedef struct omt_exec omt_exec;

/* chain: "opencl,openblas,ref", one name for that backend alone before ref; NULL: OMT_BACKEND, else
 * these three. "model" comes alone: behind another backend it would leave results out. A backend
 * whose device cannot be opened fails the chain when only one is named or the device was named,
 * otherwise the next one is taken; what is wrong with the user's own settings (tiles, a device's
 * file) always fails. OMT_DISABLE_OPS ("gemm,rotary") makes the first backend not support these
 * ops, to try the fallback. OMT_MAX_ALLOC_BYTES lowers the device's max_alloc_bytes, to try
 * matrices in blocks. */
omt_status omt_exec_open(const char *chain, const omt_backend_options *options, omt_exec **exec,
                         omt_error *err);
/* A chain for each device that the options name, `most` at most (OMT_MAX_DEVICES): omt_exec_open()
 * takes the first. Each may be used by a thread of its own. */
omt_status omt_exec_open_all(const char *chain, const omt_backend_options *options, int32_t most,
                             omt_exec **execs, int32_t *count, omt_error *err);
/* A device that is open, which is taken, before the backends that `later` names; NULL: none, and
 * OMT_DISABLE_OPS says nothing. */
omt_status omt_exec_open_on(omt_backend *device, const char *later,
                            const omt_backend_options *options, omt_exec **exec, omt_error *err);
/* The backends that a chain names, in its order; nothing is opened. */
#define OMT_CHAIN 5 /* backends that there are */
omt_status omt_exec_parse_chain(const char *text, const omt_backend_class *chain[OMT_CHAIN],
                                int32_t *count, omt_error *err);
void omt_exec_close(omt_exec *exec);
void omt_exec_info(const omt_exec *exec, omt_backend_info *info);
/* Names of the chain as opened, "opencl,openblas,ref". */
const char *omt_exec_chain(const omt_exec *exec);

/* As the backend's functions (exec/backend.h). */
omt_status omt_exec_alloc(omt_exec *exec, size_t bytes, omt_usage usage, const void *borrowed,
                          omt_buffer **buffer, omt_error *err);
void omt_exec_free(omt_exec *exec, omt_buffer *buffer);
omt_status omt_exec_write(omt_exec *exec, omt_buffer *buffer, size_t offset, const void *data,
                          size_t bytes, uint64_t *mark, omt_error *err);
omt_status omt_exec_read(omt_exec *exec, const omt_buffer *buffer, size_t offset, void *data,
                         size_t bytes, uint64_t *mark, omt_error *err);
bool omt_exec_done(omt_exec *exec, uint64_t mark);
omt_status omt_exec_wait(omt_exec *exec, uint64_t mark, omt_error *err);
double omt_exec_elapsed(omt_exec *exec, uint64_t first, uint64_t last);
omt_status omt_exec_run(omt_exec *exec, omt_op op, const void *args, uint64_t *mark,
                        omt_error *err);

/* A device that stalls (OMT_STALLED) has the work done again that was not waited for, the op that
 * hung by the next backend (exec/replay.h): nobody sees more of it than a note for the user; false:
 * there is none. */
bool omt_exec_take_note(omt_exec *exec, omt_error *note);
/* Whether its buffers are host memory: omt_host_buffer_data() says where. */
bool omt_exec_is_host(const omt_exec *exec);
/* Whether the first backend runs this op: nothing is copied for it. */
bool omt_exec_supports(const omt_exec *exec, omt_op op, const void *args);

/* The largest buffer so far that holds no weights. */
size_t omt_exec_largest(const omt_exec *exec);
/* Bytes allocated now, and how many ops ran on a later backend of the chain. */
size_t omt_exec_bytes(const omt_exec *exec);
uint64_t omt_exec_fallbacks(const omt_exec *exec);

/* Device time and work by op: a row each op, and one each class of tiles for those that have any
 * (omt_cl_class_of(), whatever backend runs them). From omt_exec_time_ops() on every op is waited
 * for and added to `times`, which is borrowed; NULL ends it. It takes up the marks: elapsed() of
 * others tells nothing then. An op that fell back counts the host's time, with its copies. */
#define OMT_OP_ROWS (OMT_OP_COUNT + OMT_CL_CLASS_COUNT)
typedef struct omt_op_times {
	struct {
		uint64_t launches;
		double seconds;
		omt_op_cost cost;
	} rows[OMT_OP_ROWS];
} omt_op_times;
omt_op omt_op_of_row(int row);
const char *omt_class_of_row(int row); /* NULL: none; static */
void omt_exec_time_ops(omt_exec *exec, omt_op_times *times);

/* A recorder gets every op instead of a device: the planner walks the real forward code with it.
 * Buffers of a recorder have sizes but no content: what is written need not be there. Where
 * `content` is set, small ones have: cu_seqlens and others that say how much work an op is. */
typedef struct omt_recorder {
	void (*op)(void *user, omt_op op, const void *args);
	void *user;
	bool content; /* of buffers of at most OMT_RECORDED_BYTES, weights aside */
} omt_recorder;
#define OMT_RECORDED_BYTES ((size_t)1 << 20)
omt_status omt_exec_open_recorder(const omt_recorder *recorder, const omt_backend_info *info,
                                  omt_exec **exec, omt_error *err);
bool omt_exec_is_recorder(const omt_exec *exec);
/* What was written to a buffer of a recorder with content; NULL: nothing, or it is larger. The
 * buffer's. */
const void *omt_exec_recorded(const omt_buffer *buffer);

/* OMT_RUN(exec, gemm, err, .a = x, .m = 3, ..., err): an op by name. */
#define OMT_RUN(exec, op, err, ...) \
	omt_exec_run((exec), OMT_OP_##op, &(omt_##op##_args){__VA_ARGS__}, NULL, (err))

#endif
