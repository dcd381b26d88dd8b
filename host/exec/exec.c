#include "exec/exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exec/backend_host.h"
#include "exec/replay.h"

#define MAX_CHAIN 4

struct omt_exec {
	omt_backend *chain[MAX_CHAIN]; /* chain[0] owns all memory; ref is last */
	int32_t count;
	char names[64];
	uint32_t disabled; /* 1 << op: not on the first backend (OMT_DISABLE_OPS) */
	size_t bytes, largest;
	uint64_t most_bytes; /* of a buffer (OMT_MAX_ALLOC_BYTES); 0: what the device says */
	uint64_t fallbacks;
	omt_op_times *times;                    /* NULL: ops are not timed */
	omt_buffer *copies[OMT_OP_MAX_BUFFERS]; /* host memory for a fallback; grown as needed */
	const omt_recorder *recorder;           /* instead of a chain */
	omt_replay *replay;                     /* of a device that may stall; NULL: it does not */
	omt_recorder recorder_copy;
	omt_backend_info recorder_info;
};

static omt_status parse_disabled(uint32_t *disabled, omt_error *err)
{
	const char *at = getenv("OMT_DISABLE_OPS");
	*disabled = 0;
	while (at && *at) {
		size_t length = strcspn(at, ",");
		int32_t op = 0;
		while (op < OMT_OP_COUNT && (strlen(omt_op_infos[op].name) != length ||
		                             strncmp(omt_op_infos[op].name, at, length)))
			op++;
		if (op == OMT_OP_COUNT)
			return OMT_FAIL(err, BAD_ARGUMENT, "OMT_DISABLE_OPS: no op \"%.*s\"",
			                (int)length, at);
		*disabled |= 1u << op;
		at += length;
		at += *at == ',';
	}
	return OMT_OK;
}

static omt_status parse_most_bytes(uint64_t *bytes, omt_error *err)
{
	const char *text = getenv("OMT_MAX_ALLOC_BYTES");
	char *end;
	*bytes = 0;
	if (!text || !*text)
		return OMT_OK;
	*bytes = strtoull(text, &end, 10);
	if (*end || !*bytes || text[0] == '-')
		return OMT_FAIL(err, BAD_ARGUMENT, "OMT_MAX_ALLOC_BYTES: \"%s\" is no size", text);
	return OMT_OK;
}

/* A device before the rest of its chain; takes the device. */
static omt_status open_chain(omt_backend *device, const omt_backend_class *const *later,
                             int32_t later_count, const omt_backend_options *options,
                             omt_exec **given, omt_error *err)
{
	omt_exec *exec = calloc(1, sizeof *exec);
	if (!exec) {
		device->class->close(device);
		return OMT_FAIL(err, NO_MEMORY, "a chain of backends");
	}
	exec->chain[exec->count++] = device;
	strcat(exec->names, device->class->name);
	omt_backend_info info;
	device->class->info(device, &info);
	omt_status status = parse_disabled(&exec->disabled, err);
	if (status == OMT_OK)
		status = parse_most_bytes(&exec->most_bytes, err);
	if (status == OMT_OK && info.may_stall)
		status = omt_replay_open(&exec->replay, err);
	for (int32_t i = 0; status == OMT_OK && i < later_count && exec->count < MAX_CHAIN; i++) {
		int32_t one;
		/* A fallback that does not open is left out; ref opens wherever there is memory. */
		if (later[i]->open(options, 1, &exec->chain[exec->count], &one, err) != OMT_OK)
			continue;
		exec->count++;
		strcat(strcat(exec->names, ","), later[i]->name);
	}
	if (status == OMT_OK)
		*given = exec;
	else
		omt_exec_close(exec);
	return status;
}

omt_status omt_exec_open_all(const char *text, const omt_backend_options *options, int32_t most,
                             omt_exec **given, int32_t *given_count, omt_error *err)
{
	const omt_backend_class *named[OMT_CHAIN + 1];
	omt_backend *devices[OMT_MAX_DEVICES];
	int32_t count, device_count = 0, i = 0;
	*given_count = 0;
	OMT_TRY(omt_exec_parse_chain(text, named, &count, err));
	/* A device that was asked for by name is not another one, nor is its program. */
	const bool only_one =
		count == 1 || omt_backend_device(options) || omt_backend_bitstream(options);
	if (named[count - 1] != &omt_backend_ref)
		named[count++] = &omt_backend_ref;
	omt_status status = named[0]->open(options, most, devices, &device_count, err);
	while (status == OMT_DEVICE && !only_one && ++i < count)
		status = named[i]->open(options, most, devices, &device_count, err);
	if (status != OMT_OK)
		return status;
	for (int32_t d = 0; d < device_count; d++) {
		if (status != OMT_OK)
			devices[d]->class->close(devices[d]);
		else
			status = open_chain(devices[d], named + i + 1, count - i - 1, options,
			                    &given[*given_count], err);
		*given_count += status == OMT_OK;
	}
	while (status != OMT_OK && *given_count)
		omt_exec_close(given[--*given_count]);
	return status;
}

omt_status omt_exec_open(const char *text, const omt_backend_options *options, omt_exec **exec,
                         omt_error *err)
{
	int32_t count;
	*exec = NULL;
	return omt_exec_open_all(text, options, 1, exec, &count, err);
}

omt_status omt_exec_open_on(omt_backend *device, const char *later,
                            const omt_backend_options *options, omt_exec **exec, omt_error *err)
{
	const omt_backend_class *named[OMT_CHAIN];
	int32_t count = 0;
	*exec = NULL;
	omt_status status = later ? omt_exec_parse_chain(later, named, &count, err) : OMT_OK;
	if (status == OMT_OK)
		return open_chain(device, named, count, options, exec, err);
	device->class->close(device);
	return status;
}

omt_status omt_exec_open_recorder(const omt_recorder *recorder, const omt_backend_info *info,
                                  omt_exec **exec, omt_error *err)
{
	*exec = calloc(1, sizeof **exec);
	if (!*exec)
		return OMT_FAIL(err, NO_MEMORY, "a recorder");
	(*exec)->recorder_copy = *recorder;
	(*exec)->recorder = &(*exec)->recorder_copy;
	(*exec)->recorder_info = *info;
	snprintf((*exec)->names, sizeof(*exec)->names, "%s", info->backend);
	return OMT_OK;
}

void omt_exec_close(omt_exec *exec)
{
	if (!exec)
		return;
	for (size_t i = 0; i < OMT_OP_MAX_BUFFERS; i++)
		omt_host_free(NULL, exec->copies[i]);
	for (int32_t i = exec->count - 1; i >= 0; i--)
		exec->chain[i]->class->close(exec->chain[i]);
	omt_replay_close(exec->replay);
	free(exec);
}

void omt_exec_info(const omt_exec *exec, omt_backend_info *info)
{
	if (exec->recorder)
		*info = exec->recorder_info;
	else
		exec->chain[0]->class->info(exec->chain[0], info);
	if (exec->most_bytes && exec->most_bytes < info->max_alloc_bytes)
		info->max_alloc_bytes = exec->most_bytes;
}

const char *omt_exec_chain(const omt_exec *exec)
{
	return exec->names;
}

bool omt_exec_is_recorder(const omt_exec *exec)
{
	return exec->recorder;
}

size_t omt_exec_largest(const omt_exec *exec)
{
	return exec->largest;
}

size_t omt_exec_bytes(const omt_exec *exec)
{
	return exec->bytes;
}

uint64_t omt_exec_fallbacks(const omt_exec *exec)
{
	return exec->fallbacks;
}

/* A buffer of a recorder. */
typedef struct recorded {
	omt_buffer base;
	bool keeps;
	void *content; /* NULL: nothing was written, or it is not kept */
} recorded;

const void *omt_exec_recorded(const omt_buffer *buffer)
{
	return ((const recorded *)buffer)->content;
}

static omt_status record_alloc(const omt_exec *exec, size_t bytes, omt_usage usage,
                               omt_buffer **buffer, omt_error *err)
{
	recorded *made = calloc(1, sizeof *made);
	if (!made)
		return OMT_FAIL(err, NO_MEMORY, "a recorded buffer");
	made->keeps =
		exec->recorder->content && usage != OMT_USAGE_WEIGHT && bytes <= OMT_RECORDED_BYTES;
	*buffer = &made->base;
	return OMT_OK;
}

static omt_status record_write(omt_buffer *buffer, size_t offset, const void *data, size_t bytes,
                               omt_error *err)
{
	recorded *to = (recorded *)buffer;
	if (!to->keeps)
		return OMT_OK;
	if (!to->content && !(to->content = calloc(1, buffer->bytes)))
		return OMT_FAIL(err, NO_MEMORY, "a recorded buffer of %zu bytes", buffer->bytes);
	memcpy((char *)to->content + offset, data, bytes);
	return OMT_OK;
}

/* ---- memory and commands ------------------------------------------------------------------- */

static omt_backend *first(const omt_exec *exec)
{
	return exec->chain[0];
}

/* Has the device do a step, now and, should it stall, again. */
static omt_status give(omt_exec *exec, omt_step *step, uint64_t *mark, omt_error *err);
/* After a failure for a reason: does again what is not done, if the device has stalled. */
static omt_status again(omt_exec *exec, const omt_error *why, omt_error *err);

/* A device may stall while content is sent, with what was begun before. */
static omt_status alloc_first(omt_exec *exec, size_t bytes, omt_usage usage, const void *borrowed,
                              omt_buffer **buffer, omt_error *err)
{
	omt_error why;
	omt_backend *device = first(exec);
	while (device->class->alloc(device, bytes, usage, borrowed, buffer, &why) != OMT_OK)
		OMT_TRY(again(exec, &why, err));
	return OMT_OK;
}

omt_status omt_exec_alloc(omt_exec *exec, size_t bytes, omt_usage usage, const void *borrowed,
                          omt_buffer **buffer, omt_error *err)
{
	*buffer = NULL;
	if (exec->most_bytes && bytes > exec->most_bytes)
		return OMT_FAIL(err, DEVICE, "a buffer of %zu bytes, OMT_MAX_ALLOC_BYTES is %llu",
		                bytes, (unsigned long long)exec->most_bytes);
	if (exec->recorder) {
		OMT_TRY(record_alloc(exec, bytes, usage, buffer, err));
	} else {
		OMT_TRY(alloc_first(exec, bytes, usage, borrowed, buffer, err));
	}
	(*buffer)->bytes = bytes;
	exec->bytes += bytes;
	if (usage != OMT_USAGE_WEIGHT && bytes > exec->largest)
		exec->largest = bytes;
	return OMT_OK;
}

void omt_exec_free(omt_exec *exec, omt_buffer *buffer)
{
	if (!buffer)
		return;
	if (exec->replay && omt_replay_uses(exec->replay, buffer))
		(void)omt_exec_wait(exec, 0, NULL);
	if (exec->replay)
		omt_replay_forget(exec->replay, buffer);
	exec->bytes -= buffer->bytes;
	if (exec->recorder) {
		free(((recorded *)buffer)->content);
		free(buffer);
	} else {
		first(exec)->class->free(first(exec), buffer);
	}
}

static omt_status check_range(const omt_buffer *buffer, size_t offset, size_t bytes, omt_error *err)
{
	if (offset > buffer->bytes || bytes > buffer->bytes - offset)
		return OMT_FAIL(err, BAD_ARGUMENT, "%zu bytes at %zu of a buffer of %zu", bytes,
		                offset, buffer->bytes);
	return OMT_OK;
}

omt_status omt_exec_write(omt_exec *exec, omt_buffer *buffer, size_t offset, const void *data,
                          size_t bytes, uint64_t *mark, omt_error *err)
{
	OMT_TRY(check_range(buffer, offset, bytes, err));
	if (exec->recorder)
		return record_write(buffer, offset, data, bytes, err);
	return give(exec,
	            &(omt_step){.kind = OMT_STEP_WRITE,
	                        .buffer = buffer,
	                        .offset = offset,
	                        .bytes = bytes,
	                        .data = (void *)(uintptr_t)data},
	            mark, err);
}

omt_status omt_exec_read(omt_exec *exec, const omt_buffer *buffer, size_t offset, void *data,
                         size_t bytes, uint64_t *mark, omt_error *err)
{
	OMT_TRY(check_range(buffer, offset, bytes, err));
	if (exec->recorder)
		return OMT_OK;
	return give(exec,
	            &(omt_step){.kind = OMT_STEP_READ,
	                        .buffer = (omt_buffer *)(uintptr_t)buffer,
	                        .offset = offset,
	                        .bytes = bytes,
	                        .data = data},
	            mark, err);
}

bool omt_exec_done(omt_exec *exec, uint64_t mark)
{
	if (exec->replay)
		mark = omt_replay_mark(exec->replay, mark);
	return exec->recorder || !mark || first(exec)->class->done(first(exec), mark);
}

omt_status omt_exec_wait(omt_exec *exec, uint64_t mark, omt_error *err)
{
	omt_error why;
	if (exec->recorder)
		return OMT_OK;
	if (!exec->replay)
		return first(exec)->class->wait(first(exec), mark, err);
	const uint64_t device_mark = omt_replay_mark(exec->replay, mark);
	if (mark && !device_mark)
		return OMT_OK;
	omt_status status = first(exec)->class->wait(first(exec), device_mark, &why);
	if (status == OMT_OK)
		omt_replay_done(exec->replay, mark);
	return status == OMT_OK ? OMT_OK : again(exec, &why, err);
}

double omt_exec_elapsed(omt_exec *exec, uint64_t from, uint64_t to)
{
	if (exec->replay) {
		from = omt_replay_mark(exec->replay, from);
		to = omt_replay_mark(exec->replay, to);
	}
	return exec->recorder || !from || !to ? 0
	                                      : first(exec)->class->elapsed(first(exec), from, to);
}

bool omt_exec_take_note(omt_exec *exec, omt_error *note)
{
	return exec->replay && omt_replay_take_note(exec->replay, note);
}

/* ---- ops ----------------------------------------------------------------------------------- */

static bool shares_host_memory(const omt_backend *backend)
{
	return backend->class->alloc == omt_host_alloc;
}

bool omt_exec_is_host(const omt_exec *exec)
{
	return !exec->recorder && shares_host_memory(first(exec));
}

/* Host memory with the first `bytes` of `from`; the i-th of an op's copies. */
static omt_status copy_in(omt_exec *exec, int32_t i, const omt_buffer *from, size_t bytes,
                          omt_error *err)
{
	if (!exec->copies[i] || exec->copies[i]->bytes < bytes) {
		omt_host_free(NULL, exec->copies[i]);
		exec->copies[i] = NULL;
		OMT_TRY(omt_host_alloc(NULL, bytes, OMT_USAGE_WORK, NULL, &exec->copies[i], err));
	}
	return first(exec)->class->read(first(exec), from, 0, omt_host_buffer_data(exec->copies[i]),
	                                bytes, NULL, err);
}

/* What an op uses of a buffer, which may be bound several times. */
static size_t used_bytes(omt_op op, const void *args, const omt_buffer *buffer)
{
	omt_buffer *const *buffers = args;
	size_t most = 0;
	for (int32_t i = 0; i < omt_op_infos[op].buffers; i++) {
		const size_t bytes = buffers[i] == buffer ? omt_op_extent(op, args, i) : 0;
		most = bytes > most ? bytes : most;
	}
	return most < buffer->bytes ? most : buffer->bytes;
}

/* Runs an op of the first backend's buffers on another one through host memory. */
static omt_status run_copied(omt_exec *exec, omt_backend *backend, omt_op op, const void *args,
                             uint64_t *mark, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	omt_backend *device = first(exec);
	omt_buffer *const *originals = args;
	omt_op_any_args copy;
	size_t bytes[OMT_OP_MAX_BUFFERS];
	memcpy(&copy, args, omt_op_args_bytes(op));
	for (int32_t i = 0; i < info->buffers; i++) {
		int32_t same = 0; /* one buffer bound twice stays one */
		while (originals[same] != originals[i])
			same++;
		bytes[i] = used_bytes(op, args, originals[i]);
		if (same == i)
			OMT_TRY(copy_in(exec, i, originals[i], bytes[i], err));
		copy.buffers[i] = exec->copies[same];
	}
	OMT_TRY(device->class->wait(device, 0, err));
	OMT_TRY(backend->class->run(backend, op, &copy, NULL, err));
	for (int32_t i = 0; i < info->buffers; i++)
		if (info->buffer[i].access != OMT_ACCESS_IN)
			OMT_TRY(device->class->write(device, originals[i], 0,
			                             omt_host_buffer_data(copy.buffers[i]),
			                             bytes[i], mark, err));
	/* The copies are used again by the next fallback. */
	return device->class->wait(device, 0, err);
}

/* The backend of the chain that runs an op: its place. */
static int32_t place_of(const omt_exec *exec, omt_op op, const void *args)
{
	int32_t at = 0;
	while (at < exec->count - 1 &&
	       ((at == 0 && exec->disabled >> op & 1) ||
	        !exec->chain[at]->class->supports(exec->chain[at], op, args)))
		at++;
	return at;
}

bool omt_exec_supports(const omt_exec *exec, omt_op op, const void *args)
{
	return exec->recorder || place_of(exec, op, args) == 0;
}

static omt_status run_op(omt_exec *exec, omt_op op, const void *args, uint64_t *mark,
                         omt_error *err)
{
	if (exec->recorder) {
		exec->recorder->op(exec->recorder->user, op, args);
		return OMT_OK;
	}
	const int32_t at = place_of(exec, op, args);
	omt_backend *backend = exec->chain[at];
	exec->fallbacks += at > 0;
	if (at == 0)
		return backend->class->run(backend, op, args, mark, err);
	if (shares_host_memory(first(exec)) && shares_host_memory(backend)) {
		double begin_s = omt_now_s();
		OMT_TRY(backend->class->run(backend, op, args, NULL, err));
		if (mark) /* marks are the first backend's */
			omt_host_mark(first(exec), begin_s, mark);
		return OMT_OK;
	}
	return run_copied(exec, backend, op, args, mark, err);
}

/* ---- steps and stalls ---------------------------------------------------------------------- */

static omt_status do_step(void *user, const omt_step *step, uint64_t *mark, omt_error *err)
{
	omt_exec *exec = user;
	omt_backend *device = first(exec);
	switch (step->kind) {
	case OMT_STEP_WRITE:
		return device->class->write(device, step->buffer, step->offset, step->data,
		                            step->bytes, mark, err);
	case OMT_STEP_READ:
		return device->class->read(device, step->buffer, step->offset, step->data,
		                           step->bytes, mark, err);
	default:
		return run_op(exec, step->op, &step->args, mark, err);
	}
}

static omt_status give(omt_exec *exec, omt_step *step, uint64_t *mark, omt_error *err)
{
	omt_error why;
	if (!exec->replay)
		return do_step(exec, step, mark, err);
	if (omt_replay_step(exec->replay, step, do_step, exec, mark, &why) == OMT_OK)
		return OMT_OK;
	return again(exec, &why, err);
}

/* Every stall takes an op from the device; late ends of what was given up may add some. */
#define MOST_STALLS (2 * OMT_OP_COUNT)

static omt_status again(omt_exec *exec, const omt_error *why, omt_error *err)
{
	omt_error next = *why;
	if (!exec->replay)
		return omt_fail(err, next.status, "%s", next.text);
	for (int stalls = 0; next.status == OMT_STALLED && stalls < MOST_STALLS; stalls++) {
		omt_replay_note(exec->replay, next.text);
		next.status = OMT_OK;
		if (omt_replay_again(exec->replay, do_step, exec, &next) == OMT_OK &&
		    first(exec)->class->wait(first(exec), 0, &next) == OMT_OK) {
			omt_replay_done(exec->replay, 0);
			return OMT_OK;
		}
	}
	return omt_fail(err, next.status, "%s", next.text);
}

omt_op omt_op_of_row(int row)
{
	return row < OMT_OP_COUNT ? (omt_op)row : omt_cl_class_infos[row - OMT_OP_COUNT].op;
}

const char *omt_class_of_row(int row)
{
	return row < OMT_OP_COUNT ? NULL : omt_cl_class_infos[row - OMT_OP_COUNT].name;
}

static void add_times(omt_op_times *times, omt_op op, const void *args, double seconds)
{
	const omt_cl_class class = omt_cl_class_of(op, args);
	const int row = class < OMT_CL_CLASS_COUNT ? OMT_OP_COUNT + (int)class : (int)op;
	const omt_op_cost cost = omt_op_cost_of(op, args);
	times->rows[row].launches++;
	times->rows[row].seconds += seconds;
	times->rows[row].cost.flops += cost.flops;
	times->rows[row].cost.bytes += cost.bytes;
}

void omt_exec_time_ops(omt_exec *exec, omt_op_times *times)
{
	exec->times = times;
}

static omt_status run_step(omt_exec *exec, omt_op op, const void *args, uint64_t *mark,
                           omt_error *err)
{
	if (!exec->replay)
		return run_op(exec, op, args, mark, err);
	omt_step step = {.kind = OMT_STEP_RUN, .op = op};
	memcpy(&step.args, args, omt_op_args_bytes(op));
	return give(exec, &step, mark, err);
}

omt_status omt_exec_run(omt_exec *exec, omt_op op, const void *args, uint64_t *mark, omt_error *err)
{
	uint64_t own;
	if (!exec->times || exec->recorder)
		return run_step(exec, op, args, mark, err);
	mark = mark ? mark : &own;
	const uint64_t fallbacks = exec->fallbacks;
	const double begin_s = omt_now_s();
	OMT_TRY(run_step(exec, op, args, mark, err));
	OMT_TRY(omt_exec_wait(exec, *mark, err));
	add_times(exec->times, op, args,
	          exec->fallbacks > fallbacks ? omt_now_s() - begin_s
	                                      : omt_exec_elapsed(exec, *mark, *mark));
	return OMT_OK;
}
