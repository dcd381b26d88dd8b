/* board.h - the modelled card: memory, a loaded container, compute units with their registers.
 *
 * Registers of a unit (ap_ctrl_hs, ap_ctrl_chain): word 0 is control, arguments from 0x10 where the
 * container says. Writing START begins a launch with the arguments as they are then; START reads 1
 * until the kernel has ended, then DONE is 1 until it was read (hs) or until CONTINUE is written
 * (chain). A chain unit takes one more START while it runs.
 *
 * A launch that cannot be run (an argument in no buffer, a crash, a lost card) stays START for
 * ever: the shim knows no other way to be told, and the host's watchdog finds it. Why is said on
 * stderr. */
#ifndef OMT_HLS_DEVICE_MODEL_BOARD_H
#define OMT_HLS_DEVICE_MODEL_BOARD_H

#include <sys/types.h>

#include "hls/device_model/design.h"
#include "hls/device_model/memory.h"
#include "hls/device_model/settings.h"
#include "hls/device_model/worker.h"

#define OMT_CTRL_START    1u
#define OMT_CTRL_DONE     2u
#define OMT_CTRL_IDLE     4u
#define OMT_CTRL_READY    8u
#define OMT_CTRL_CONTINUE 16u

typedef struct omt_unit {
	const omt_design_unit *design;
	const omt_design_kernel *kernel;
	uint8_t *registers; /* kernel->range bytes */
	pid_t child;        /* 0: none yet */
	int orders;
	bool running, landed, dead; /* landed: has ended, may be held back until ready_s */
	bool waiting;               /* chain: the next launch is in `next` */
	omt_launch next;
	uint32_t done;   /* ends that the host has not seen */
	uint64_t launch; /* number of the one at hand */
	size_t banks;    /* that its buffers lie in */
	double start_s, ready_s;
} omt_unit;

typedef struct omt_board {
	omt_model_settings settings;
	omt_board_memory memory;
	omt_design *design; /* NULL: no container */
	char *library;
	size_t unit_count;
	omt_unit units[OMT_DESIGN_UNITS];
	uint64_t launches[OMT_DESIGN_KERNELS], all_launches;
	uint64_t allocations, copies[2], copied[2]; /* to the card, from it */
	double copy_s[2];
	bool lost, void_at_0; /* an allocation failed: the shim takes that for a buffer at 0 */
	int host;             /* the socket, closed in the units */
} omt_board;

/* One line on stderr. */
void omt_board_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Takes the design (given, free()) and the library's path (copied); drops what was loaded. */
omt_status omt_board_load(omt_board *board, omt_design *design, const char *library,
                          omt_error *err);
/* Ends the units; memory stays. */
void omt_board_unload(omt_board *board);
/* The card is gone: its units end, its memory reads as ones. */
void omt_board_lose(omt_board *board);

/* A buffer; false when the card has none to give. */
bool omt_board_alloc(omt_board *board, uint64_t address, uint64_t bytes);
/* Between `data` and the card's [address, address + bytes). */
omt_status omt_board_copy(omt_board *board, bool to_card, uint64_t address, uint8_t *data,
                          uint64_t bytes, omt_error *err);

/* The unit at a device address, or NULL; *offset is the register's. */
omt_unit *omt_board_unit(omt_board *board, uint64_t address, uint32_t *offset);
/* A block of words; one that covers word 0 is a command. */
omt_status omt_board_write(omt_board *board, omt_unit *unit, uint32_t offset, const uint8_t *data,
                           size_t bytes, omt_error *err);
uint32_t omt_board_read(omt_board *board, omt_unit *unit, uint32_t offset);
/* The unit's socket has something to read. */
void omt_board_land(omt_board *board, omt_unit *unit);

/* A last line into the log: what went over the link. */
void omt_board_log_link(const omt_board *board);

#endif
