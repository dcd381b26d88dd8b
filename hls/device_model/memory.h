/* memory.h - the card's memory: banks one after the other from address 0, buffers in them.
 *
 * The shim's own memory manager chooses addresses (emconfig.json has the banks' sizes); here they
 * are checked. The memory is one file without a name, sparse: a page costs only when it was
 * written, freed buffers give theirs back, and the units' processes map the same pages. */
#ifndef OMT_HLS_DEVICE_MODEL_MEMORY_H
#define OMT_HLS_DEVICE_MODEL_MEMORY_H

#include <stddef.h>

#include "base/status.h"

enum { OMT_BOARD_BANKS = 64 };

typedef struct omt_board_buffer {
	uint64_t address, bytes; /* bytes as asked for */
} omt_board_buffer;

typedef struct omt_board_memory {
	int fd;        /* -1: closed */
	uint8_t *data; /* all of it */
	uint64_t bytes;
	size_t bank_count;
	uint64_t bank_end[OMT_BOARD_BANKS];
	size_t count, capacity;
	omt_board_buffer *buffers; /* by address */
} omt_board_memory;

/* Sizes in bytes, whole pages. */
omt_status omt_board_memory_open(omt_board_memory *memory, const uint64_t *banks, size_t count,
                                 omt_error *err);
void omt_board_memory_close(omt_board_memory *memory);

/* BAD_ARGUMENT: not within one bank, not on a page, or over another buffer. */
omt_status omt_board_memory_alloc(omt_board_memory *memory, uint64_t address, uint64_t bytes,
                                  omt_error *err);
omt_status omt_board_memory_free(omt_board_memory *memory, uint64_t address, omt_error *err);

/* The buffer that holds the byte at `address`, or NULL. Valid until the next alloc or free. */
const omt_board_buffer *omt_board_memory_find(const omt_board_memory *memory, uint64_t address);
/* The bytes [address, address + bytes), which must lie in one buffer. */
omt_status omt_board_memory_span(const omt_board_memory *memory, uint64_t address, uint64_t bytes,
                                 uint8_t **data, omt_error *err);
/* bank_count: in none. */
size_t omt_board_memory_bank(const omt_board_memory *memory, uint64_t address);

#endif
