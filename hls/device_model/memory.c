#include "hls/device_model/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };

omt_status omt_board_memory_open(omt_board_memory *memory, const uint64_t *banks, size_t count,
                                 omt_error *err)
{
	*memory = (omt_board_memory){.fd = -1};
	if (!count || count > OMT_BOARD_BANKS)
		return OMT_FAIL(err, BAD_ARGUMENT, "a card with %zu banks of memory", count);
	for (size_t i = 0; i < count; i++) {
		if (!banks[i] || banks[i] % PAGE || banks[i] > (uint64_t)1 << 42)
			return OMT_FAIL(err, BAD_ARGUMENT, "bank %zu has %llu bytes", i,
			                (unsigned long long)banks[i]);
		memory->bytes += banks[i];
		memory->bank_end[i] = memory->bytes;
	}
	memory->bank_count = count;
	memory->fd = memfd_create("card memory", MFD_CLOEXEC);
	if (memory->fd >= 0 && ftruncate(memory->fd, (off_t)memory->bytes) == 0)
		memory->data = mmap(NULL, memory->bytes, PROT_READ | PROT_WRITE,
		                    MAP_SHARED | MAP_NORESERVE, memory->fd, 0);
	if (!memory->data || memory->data == MAP_FAILED) {
		int why = errno;
		memory->data = NULL;
		omt_board_memory_close(memory);
		return OMT_FAIL(err, NO_MEMORY, "no room for a card's memory: %s", strerror(why));
	}
	return OMT_OK;
}

void omt_board_memory_close(omt_board_memory *memory)
{
	if (memory->data)
		munmap(memory->data, memory->bytes);
	if (memory->fd >= 0)
		close(memory->fd);
	free(memory->buffers);
	*memory = (omt_board_memory){.fd = -1};
}

/* The number of buffers at or below `address`. */
static size_t place_of(const omt_board_memory *memory, uint64_t address)
{
	size_t low = 0, high = memory->count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (memory->buffers[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t omt_board_memory_bank(const omt_board_memory *memory, uint64_t address)
{
	size_t bank = 0;
	while (bank < memory->bank_count && address >= memory->bank_end[bank])
		bank++;
	return bank;
}

omt_status omt_board_memory_alloc(omt_board_memory *memory, uint64_t address, uint64_t bytes,
                                  omt_error *err)
{
	size_t bank = omt_board_memory_bank(memory, address), place = place_of(memory, address);
	const omt_board_buffer *below = place ? &memory->buffers[place - 1] : NULL;
	const char *what = NULL;
	if (bank == memory->bank_count || bytes > memory->bank_end[bank] - address)
		what = "does not lie in one bank";
	else if (!bytes || address % PAGE)
		what = "is empty or not on a page";
	else if ((below && address - below->address < below->bytes) ||
	         (place < memory->count && memory->buffers[place].address - address < bytes))
		what = "lies over another";
	if (what)
		return OMT_FAIL(err, BAD_ARGUMENT, "a buffer of %llu bytes at 0x%llx %s",
		                (unsigned long long)bytes, (unsigned long long)address, what);
	if (memory->count == memory->capacity) {
		size_t capacity = memory->capacity ? 2 * memory->capacity : 64;
		omt_board_buffer *more = realloc(memory->buffers, capacity * sizeof *more);
		if (!more)
			return OMT_FAIL(err, NO_MEMORY, "no memory for %zu buffers", capacity);
		memory->buffers = more;
		memory->capacity = capacity;
	}
	memmove(memory->buffers + place + 1, memory->buffers + place,
	        (memory->count - place) * sizeof *memory->buffers);
	memory->buffers[place] = (omt_board_buffer){address, bytes};
	memory->count++;
	return OMT_OK;
}

omt_status omt_board_memory_free(omt_board_memory *memory, uint64_t address, omt_error *err)
{
	size_t place = place_of(memory, address);
	omt_board_buffer *buffer = place ? &memory->buffers[place - 1] : NULL;
	if (!buffer || buffer->address != address)
		return OMT_FAIL(err, BAD_ARGUMENT, "no buffer at 0x%llx to be freed",
		                (unsigned long long)address);
	fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)address,
	          (off_t)((buffer->bytes + PAGE - 1) / PAGE * PAGE));
	memmove(buffer, buffer + 1, (memory->count - place) * sizeof *buffer);
	memory->count--;
	return OMT_OK;
}

const omt_board_buffer *omt_board_memory_find(const omt_board_memory *memory, uint64_t address)
{
	size_t place = place_of(memory, address);
	const omt_board_buffer *buffer = place ? &memory->buffers[place - 1] : NULL;
	return buffer && address - buffer->address < buffer->bytes ? buffer : NULL;
}

omt_status omt_board_memory_span(const omt_board_memory *memory, uint64_t address, uint64_t bytes,
                                 uint8_t **data, omt_error *err)
{
	const omt_board_buffer *buffer = omt_board_memory_find(memory, address);
	if (!buffer || bytes > buffer->bytes - (address - buffer->address))
		return OMT_FAIL(err, BAD_ARGUMENT, "[0x%llx, + %llu bytes) %s",
		                (unsigned long long)address, (unsigned long long)bytes,
		                buffer ? "goes beyond the end of its buffer" : "lies in no buffer");
	*data = memory->data + address;
	return OMT_OK;
}
