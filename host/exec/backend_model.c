/* Backend "model": a model of a device's time. It computes nothing, its results are zeros; it
 * tells how long a device of the speed in a configs/devices/ file would take, and takes as long.
 *
 * An op takes max(flops / peak, bytes / bandwidth) (omt_op_cost_of), a transfer bytes / link.
 * Commands go to three queues in order, one for ops and one each way for slot transfers, and wait
 * for each other's as on the OpenCL backend; they return at once. wait() sleeps until the modelled
 * end, so that the device needs no core of this machine: what a run hides behind compute can be
 * measured where host and device would share cores.
 *
 * A file may say after how many ops the device fails, as a device that is lost does: what was
 * enqueued ends in an error, nothing more is taken. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "exec/backend_host.h"
#include "exec/device_file.h"

typedef struct omt_timed {
	omt_host_backend host; /* the marks */
	omt_backend_info info;
	omt_device_speed speed;
	double compute_free_s, upload_free_s,
		download_free_s; /* end of each queue's last command */
	uint64_t bytes;          /* allocated */
	int64_t ops;             /* enqueued */
} omt_timed;

typedef struct omt_timed_buffer {
	omt_buffer base;
	uint8_t *data;
	bool borrowed, slot;
	double moved_s, used_s; /* of a slot: end of its last transfer, of its last op */
} omt_timed_buffer;

/* ---- time ---- */

static void sleep_until(double time_s)
{
	struct timespec until = {.tv_sec = (time_t)time_s,
	                         .tv_nsec = (long)((time_s - floor(time_s)) * 1e9)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		continue;
}

/* A command at the end of a queue that may begin at ready_s; returns its end. */
static double enqueue(omt_timed *timed, double *queue_free_s, double ready_s, double cost_s,
                      uint64_t *mark)
{
	double begin_s = fmax(omt_now_s(), fmax(*queue_free_s, ready_s));
	*queue_free_s = begin_s + cost_s;
	if (mark) {
		*mark = ++timed->host.next_mark;
		/* A mark that is forgotten counts as done, so it has to be. */
		sleep_until(timed->host.marks[*mark % OMT_MARKS].end_s);
		timed->host.marks[*mark % OMT_MARKS].begin_s = begin_s;
		timed->host.marks[*mark % OMT_MARKS].end_s = begin_s + cost_s;
	}
	return begin_s + cost_s;
}

static double end_of(const omt_timed *timed, uint64_t mark)
{
	if (!mark)
		return fmax(timed->compute_free_s,
		            fmax(timed->upload_free_s, timed->download_free_s));
	bool known = mark <= timed->host.next_mark && timed->host.next_mark - mark < OMT_MARKS;
	return known ? timed->host.marks[mark % OMT_MARKS].end_s : 0;
}

static bool done_timed(omt_backend *self, uint64_t mark)
{
	return omt_now_s() >= end_of((const omt_timed *)self, mark);
}

static bool failed(const omt_timed *timed)
{
	return timed->speed.fails_after_ops && timed->ops > timed->speed.fails_after_ops;
}

static omt_status wait_timed(omt_backend *self, uint64_t mark, omt_error *err)
{
	const omt_timed *timed = (const omt_timed *)self;
	sleep_until(end_of(timed, mark));
	if (failed(timed))
		return OMT_FAIL(err, DEVICE, "%s: failed after %lld ops, as its file says",
		                timed->info.device, (long long)timed->speed.fails_after_ops);
	return OMT_OK;
}

/* ---- open and close ---- */

static void close_timed(omt_backend *self)
{
	free(self);
}

static omt_status open_file(const char *path, omt_backend **self, omt_error *err)
{
	omt_backend_info info;
	omt_device_speed speed;
	if (!omt_is_device_file(path))
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "backend model: device \"%s\" is not a .yaml file that says how "
		                "fast the device is (configs/devices/)",
		                path);
	OMT_TRY(omt_device_file_load(path, &info, &speed, err));
	if (speed.peak_gflops <= 0 || speed.bandwidth_gbs <= 0 || speed.link_gbs <= 0)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: backend model needs peak_gflops and bandwidth_gbs > 0", path);
	omt_timed *timed = calloc(1, sizeof *timed);
	if (!timed)
		return OMT_FAIL(err, NO_MEMORY, "backend model");
	timed->host.base.class = &omt_backend_model;
	timed->speed = speed;
	timed->info = info;
	timed->info.asynchronous = true;
	snprintf(timed->info.backend, sizeof timed->info.backend, "model");
	snprintf(timed->info.device, sizeof timed->info.device, "model of %.110s", info.device);
	snprintf(timed->info.platform, sizeof timed->info.platform,
	         "no device: its time is modelled, its vectors are zeros");
	snprintf(timed->info.driver, sizeof timed->info.driver, "omnitile %s", OMT_VERSION);
	snprintf(timed->info.version, sizeof timed->info.version,
	         "%g GFLOP/s, memory %g GB/s, link %g GB/s", speed.peak_gflops, speed.bandwidth_gbs,
	         speed.link_gbs);
	*self = &timed->host.base;
	return OMT_OK;
}

/* Files with commas between them, each a device; one of the same file is another device. */
static omt_status open_timed(const omt_backend_options *options, int32_t most, omt_backend **selves,
                             int32_t *count, omt_error *err)
{
	const char *at = omt_backend_device(options);
	omt_status status = OMT_OK;
	*count = 0;
	do {
		char path[4096];
		size_t length = at ? strcspn(at, ",") : 0;
		snprintf(path, sizeof path, "%.*s", (int)length, at ? at : "");
		if (*count == OMT_MAX_DEVICES)
			status = OMT_FAIL(err, LIMIT, "more than %d devices", OMT_MAX_DEVICES);
		else
			status = open_file(path, &selves[*count], err);
		*count += status == OMT_OK;
		at = at && at[length] ? at + length + 1 : NULL;
	} while (status == OMT_OK && at && *count < most);
	while (status != OMT_OK && *count)
		close_timed(selves[--*count]);
	return status;
}

static void info_timed(const omt_backend *self, omt_backend_info *info)
{
	*info = ((const omt_timed *)self)->info;
}

static bool supports_timed(const omt_backend *self, omt_op op, const void *args)
{
	(void)self;
	(void)op;
	(void)args;
	return true;
}

/* ---- memory ---- */

static void free_timed(omt_backend *self, omt_buffer *buffer)
{
	omt_timed_buffer *freed = (omt_timed_buffer *)buffer;
	if (!freed)
		return;
	((omt_timed *)self)->bytes -= freed->base.bytes;
	if (!freed->borrowed)
		free(freed->data);
	free(freed);
}

static omt_status alloc_timed(omt_backend *self, size_t bytes, omt_usage usage,
                              const void *borrowed, omt_buffer **given, omt_error *err)
{
	omt_timed *timed = (omt_timed *)self;
	const omt_backend_info *info = &timed->info;
	*given = NULL;
	if ((info->max_alloc_bytes && bytes > info->max_alloc_bytes) ||
	    (info->memory_bytes && bytes > info->memory_bytes - timed->bytes))
		return OMT_FAIL(err, DEVICE,
		                "%s: a buffer of %zu bytes, %llu of %llu are taken, %llu at a time",
		                info->device, bytes, (unsigned long long)timed->bytes,
		                (unsigned long long)info->memory_bytes,
		                (unsigned long long)info->max_alloc_bytes);
	omt_timed_buffer *buffer = calloc(1, sizeof *buffer);
	/* Zeros, that is what results are; pages that nobody writes cost nothing. */
	uint8_t *data = borrowed ? (uint8_t *)(uintptr_t)borrowed : calloc(1, bytes ? bytes : 1);
	if (!buffer || !data) {
		free(buffer);
		if (!borrowed)
			free(data);
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	}
	*buffer = (omt_timed_buffer){.base = {.owner = self, .bytes = bytes},
	                             .data = data,
	                             .borrowed = borrowed != NULL,
	                             .slot = usage == OMT_USAGE_SLOT};
	timed->bytes += bytes;
	if (borrowed)
		sleep_until(enqueue(timed, &timed->compute_free_s, 0,
		                    (double)bytes / (1e9 * timed->speed.link_gbs), NULL));
	*given = &buffer->base;
	return OMT_OK;
}

static void transfer(omt_timed *timed, omt_timed_buffer *buffer, double *queue_free_s, size_t bytes,
                     uint64_t *mark)
{
	double cost_s = (double)bytes / (1e9 * timed->speed.link_gbs);
	if (buffer->slot)
		buffer->moved_s = enqueue(timed, queue_free_s,
		                          fmax(buffer->used_s, buffer->moved_s), cost_s, mark);
	else
		enqueue(timed, &timed->compute_free_s, 0, cost_s, mark);
}

static omt_status write_timed(omt_backend *self, omt_buffer *buffer, size_t offset,
                              const void *data, size_t bytes, uint64_t *mark, omt_error *err)
{
	omt_timed_buffer *to = (omt_timed_buffer *)buffer;
	if (to->borrowed)
		return OMT_FAIL(err, BAD_ARGUMENT, "a write to borrowed memory");
	if (bytes)
		memcpy(to->data + offset, data, bytes);
	transfer((omt_timed *)self, to, &((omt_timed *)self)->upload_free_s, bytes, mark);
	return OMT_OK;
}

static omt_status read_timed(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                             size_t bytes, uint64_t *mark, omt_error *err)
{
	(void)err;
	if (bytes)
		memcpy(data, ((const omt_timed_buffer *)buffer)->data + offset, bytes);
	/* A read leaves the content as it is, but the buffer remembers it for the next op. */
	transfer((omt_timed *)self, (omt_timed_buffer *)(uintptr_t)buffer,
	         &((omt_timed *)self)->download_free_s, bytes, mark);
	return OMT_OK;
}

/* ---- ops ---- */

static omt_status run_timed(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                            omt_error *err)
{
	omt_timed *timed = (omt_timed *)self;
	const omt_op_info *info = &omt_op_infos[op];
	omt_buffer *const *buffers = args;
	omt_op_cost cost = omt_op_cost_of(op, args);
	double cost_s = 1e-9 * fmax(cost.flops / timed->speed.peak_gflops,
	                            cost.bytes / timed->speed.bandwidth_gbs);
	double ready_s = 0;
	if (failed(timed))
		return wait_timed(self, 0, err);
	for (int32_t i = 0; i < info->buffers; i++) {
		if (!buffers[i] || buffers[i]->owner != self)
			return OMT_FAIL(err, BAD_ARGUMENT, "op %s: %s is no buffer of this device",
			                info->name, info->buffer[i].name);
		ready_s = fmax(ready_s, ((const omt_timed_buffer *)buffers[i])->moved_s);
	}
	double end_s = enqueue(timed, &timed->compute_free_s, ready_s, cost_s, mark);
	timed->ops++;
	for (int32_t i = 0; i < info->buffers; i++) {
		omt_timed_buffer *buffer = (omt_timed_buffer *)buffers[i];
		if (buffer->slot)
			buffer->used_s = end_s;
	}
	return OMT_OK;
}

const omt_backend_class omt_backend_model = {
	.name = "model",
	.open = open_timed,
	.close = close_timed,
	.info = info_timed,
	.supports = supports_timed,
	.alloc = alloc_timed,
	.free = free_timed,
	.write = write_timed,
	.read = read_timed,
	.run = run_timed,
	.done = done_timed,
	.wait = wait_timed,
	.elapsed = omt_host_elapsed,
};
