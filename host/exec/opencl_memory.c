/* Buffers of the OpenCL backend. */
#include <stdlib.h>
#include <string.h>

#include "exec/opencl_backend.h"

void omt_cl_free_orphans(omt_cl *cl, bool lost)
{
	while (cl->orphans && (lost || !cl->order.stale_count)) {
		omt_cl_buffer *freed = cl->orphans;
		cl->orphans = freed->next;
		if (!lost)
			clReleaseMemObject(freed->memory);
		free(freed);
	}
}

void omt_cl_free(omt_backend *self, omt_buffer *buffer)
{
	omt_cl *cl = (omt_cl *)self;
	omt_cl_buffer *freed = (omt_cl_buffer *)buffer;
	if (!freed)
		return;
	/* A runtime keeps the memory until the commands that use it are done; XRT's does not. */
	const bool over = !cl->card || (omt_cl_order_let_end(&cl->order, &freed->uses) &&
	                                !cl->order.stale_count);
	omt_cl_uses_clear(&freed->uses);
	if (freed->memory && !over) {
		freed->next = cl->orphans;
		cl->orphans = freed;
	} else {
		if (freed->memory)
			clReleaseMemObject(freed->memory);
		free(freed);
	}
	if (cl->order.failed.status == OMT_OK)
		omt_cl_free_orphans(cl, false);
}

/* Pages of a file as they are mapped. NULL: the runtime wants a copy (it may refuse memory that it
 * cannot write). */
static cl_mem use_in_place(const omt_cl *cl, size_t bytes, const void *borrowed)
{
	cl_int code;
	cl_mem memory = bytes ? clCreateBuffer(cl->context, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR,
	                                       bytes, (void *)(uintptr_t)borrowed, &code)
	                      : NULL;
	return memory;
}

/* Memory of a device that builds its kernels, with the content if there is one. */
static cl_int alloc_built(omt_cl *cl, omt_cl_buffer *buffer, const void *borrowed)
{
	cl_int code = CL_SUCCESS;
	const size_t bytes = buffer->base.bytes;
	if (borrowed && cl->info.in_place && (uintptr_t)borrowed % OMT_IN_PLACE_ALIGN == 0)
		buffer->memory = use_in_place(cl, bytes, borrowed);
	if (buffer->memory)
		return CL_SUCCESS;
	/* OpenCL has no empty buffers. */
	buffer->memory =
		clCreateBuffer(cl->context, CL_MEM_READ_WRITE, bytes ? bytes : 1, NULL, &code);
	if (code == CL_SUCCESS && borrowed && bytes)
		code = clEnqueueWriteBuffer(cl->compute, buffer->memory, CL_TRUE, 0, bytes,
		                            borrowed, 0, NULL, NULL);
	return code;
}

/* Whether a few bytes come back that are written into a buffer. */
omt_status omt_cl_check_memory(omt_cl *cl, omt_buffer *buffer, size_t offset, omt_error *err)
{
	uint8_t sent[OMT_CL_PROBE_BYTES], got[OMT_CL_PROBE_BYTES] = {0};
	const size_t left = buffer->bytes - offset;
	const size_t bytes = left < OMT_CL_PROBE_BYTES ? left : OMT_CL_PROBE_BYTES;
	cl->probes++;
	for (size_t i = 0; i < bytes; i++)
		sent[i] = (uint8_t)(cl->probes * 37 + i * 11);
	OMT_TRY(omt_cl_write(&cl->base, buffer, offset, sent, bytes, NULL, err));
	OMT_TRY(omt_cl_read(&cl->base, buffer, offset, got, bytes, NULL, err));
	OMT_TRY(omt_cl_order_wait(&cl->order, 0, err));
	if (memcmp(sent, got, bytes) != 0)
		return OMT_FAIL(err, DEVICE,
		                "%s: a buffer of %zu bytes in bank %d does not keep what is "
		                "written",
		                cl->card->name, buffer->bytes,
		                ((const omt_cl_buffer *)buffer)->bank->number);
	return OMT_OK;
}

/* On a card the content goes in pieces, through memory that the transfer wants. XRT's emulation
 * takes a buffer that the card has no room for to be at address 0: so each is tried. */
static omt_status alloc_card(omt_cl *cl, omt_cl_buffer *buffer, const void *borrowed,
                             omt_error *err)
{
	const size_t bytes = buffer->base.bytes, piece = (size_t)16 << 20;
	buffer->tracked = true;
	OMT_TRY(omt_cl_card_alloc(cl->card, bytes ? bytes : 1, buffer->usage, &buffer->memory,
	                          &buffer->bank, err));
	if (bytes)
		OMT_TRY(omt_cl_check_memory(cl, &buffer->base, 0, err));
	for (size_t at = 0; borrowed && at < bytes; at += piece) {
		OMT_TRY(omt_cl_write(&cl->base, &buffer->base, at, (const uint8_t *)borrowed + at,
		                     bytes - at < piece ? bytes - at : piece, NULL, err));
		OMT_TRY(cl->base.class->wait(&cl->base, 0, err));
	}
	return OMT_OK;
}

omt_status omt_cl_alloc(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                        omt_buffer **given, omt_error *err)
{
	omt_cl *cl = (omt_cl *)self;
	omt_status status = OMT_OK;
	*given = NULL;
	if (bytes > cl->info.max_alloc_bytes)
		return OMT_FAIL(
			err, DEVICE, "%s: a buffer of %zu bytes, the device allocates %llu at most",
			cl->info.device, bytes, (unsigned long long)cl->info.max_alloc_bytes);
	omt_cl_buffer *buffer = calloc(1, sizeof *buffer);
	if (!buffer)
		return OMT_FAIL(err, NO_MEMORY, "a buffer of %zu bytes", bytes);
	buffer->base = (omt_buffer){.owner = self, .bytes = bytes};
	buffer->usage = usage;
	buffer->tracked = usage == OMT_USAGE_SLOT;
	if (cl->card) {
		status = alloc_card(cl, buffer, borrowed, err);
	} else {
		const cl_int code = alloc_built(cl, buffer, borrowed);
		if (code != CL_SUCCESS)
			status = OMT_FAIL(err, DEVICE, "%s: a buffer of %zu bytes: %s (%d)",
			                  cl->info.device, bytes, omt_cl_error(code), code);
	}
	if (status == OMT_OK)
		*given = &buffer->base;
	else
		omt_cl_free(self, &buffer->base);
	return status;
}

/* On a card: what the transfer uses instead of the caller's memory. Reads, and writes that wait for
 * others, may run when nobody expects them any more (opencl_order.h). */
static omt_status take_copy(const omt_cl_waits *waits, size_t bytes, const void *from, void *to,
                            omt_cl_copy *copy, omt_error *err)
{
	if (!bytes || (from && !waits->count && (uintptr_t)from % OMT_IN_PLACE_ALIGN == 0))
		return OMT_OK;
	copy->memory =
		aligned_alloc(OMT_IN_PLACE_ALIGN, (bytes + OMT_IN_PLACE_ALIGN - 1) /
	                                                  OMT_IN_PLACE_ALIGN * OMT_IN_PLACE_ALIGN);
	if (!copy->memory)
		return OMT_FAIL(err, NO_MEMORY, "%zu bytes to transfer", bytes);
	copy->to = to;
	copy->bytes = bytes;
	if (from)
		memcpy(copy->memory, from, bytes);
	return OMT_OK;
}

static omt_status enqueue_transfer(const omt_cl_buffer *buffer, size_t offset, size_t bytes,
                                   const void *from, void *to, const omt_cl_waits *waits,
                                   omt_cl_use *use, omt_error *err)
{
	const cl_event *first = waits->count ? waits->events : NULL;
	if (!bytes)
		return omt_cl_check(
			clEnqueueMarkerWithWaitList(use->queue, waits->count, first, &use->event),
			"clEnqueueMarkerWithWaitList", err);
	if (to)
		return omt_cl_check(clEnqueueReadBuffer(use->queue, buffer->memory, CL_FALSE,
		                                        offset, bytes, to, waits->count, first,
		                                        &use->event),
		                    "clEnqueueReadBuffer", err);
	return omt_cl_check(clEnqueueWriteBuffer(use->queue, buffer->memory, CL_FALSE, offset,
	                                         bytes, from, waits->count, first, &use->event),
	                    "clEnqueueWriteBuffer", err);
}

/* A write (from) or a read (to); nothing to move still is a command, for its mark. */
static omt_status transfer(omt_cl *cl, omt_cl_buffer *buffer, size_t offset, size_t bytes,
                           const void *from, void *to, uint64_t *mark, omt_error *err)
{
	omt_cl_waits waits;
	omt_cl_task task = {.op = OMT_OP_COUNT, .patience_s = OMT_CL_TRANSFER_S};
	omt_cl_use use = {.queue = cl->card           ? buffer->bank->queue
	                           : !buffer->tracked ? cl->compute
	                           : to               ? cl->download
	                                              : cl->upload};
	waits.count = 0;
	if (buffer->tracked)
		OMT_TRY(omt_cl_order_before(&cl->order, &buffer->uses, !to, use.queue, &waits,
		                            err));
	if (cl->card)
		OMT_TRY(take_copy(&waits, bytes, from, to, &task.copy, err));
	if (task.copy.memory && to)
		to = task.copy.memory;
	else if (task.copy.memory)
		from = task.copy.memory;
	omt_status status = enqueue_transfer(buffer, offset, bytes, from, to, &waits, &use, err);
	if (status != OMT_OK) {
		free(task.copy.memory);
		return status;
	}
	OMT_TRY(omt_cl_order_put(&cl->order, &use, &waits, &task, err));
	if (buffer->tracked)
		status = omt_cl_order_after(&cl->order, &buffer->uses, !to, &use, err);
	if (status == OMT_OK)
		status = omt_cl_order_mark(&cl->order, &use, &use, mark, err);
	omt_cl_use_clear(&use);
	return status;
}

omt_status omt_cl_write(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                        size_t bytes, uint64_t *mark, omt_error *err)
{
	return transfer((omt_cl *)self, (omt_cl_buffer *)buffer, offset, bytes, data, NULL, mark,
	                err);
}

omt_status omt_cl_read(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                       size_t bytes, uint64_t *mark, omt_error *err)
{
	/* A read leaves the content as it is, but the buffer remembers it for the next kernel. */
	return transfer((omt_cl *)self, (omt_cl_buffer *)buffer, offset, bytes, NULL, data, mark,
	                err);
}
