/* registers LIBRARY - the card's registers and launches without XRT: ap_ctrl_hs, ap_ctrl_chain
 * (which XRT's software emulation never uses), faults by count. Prints what was wrong. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hls/device_model/board.h"
#include "tests/fpga/expect.h"

/* Two kernels with one unit each: lonely counts its launches, add takes s1 milliseconds. */
static const char text[] =
	"<project><platform><device><core>"
	"<kernel name='lonely' hwControlProtocol='%s'>"
	"<port name='S' mode='slave' range='0x1000'/>"
	"<arg name='at' id='0' addressQualifier='1' offset='0x10' size='8' hostSize='8'/>"
	"<instance name='lonely_1'><addrRemap base='0x10000'/></instance></kernel>"
	"<kernel name='add' hwControlProtocol='%s'>"
	"<port name='S' mode='slave' range='0x1000'/>"
	"<arg name='a' id='0' addressQualifier='1' offset='0x10' size='8' hostSize='8'/>"
	"<arg name='b' id='1' addressQualifier='1' offset='0x1c' size='8' hostSize='8'/>"
	"<arg name='out' id='2' addressQualifier='1' offset='0x28' size='8' hostSize='8'/>"
	"<arg name='n' id='3' addressQualifier='0' offset='0x34' size='4' hostSize='4'/>"
	"<arg name='ms' id='4' addressQualifier='0' offset='0x3c' size='4' hostSize='4'/>"
	"<instance name='add_1'><addrRemap base='0x20000'/></instance></kernel>"
	"</core></device></platform></project>";

static omt_board *card_of(const char *library, const char *protocol, const char *hang)
{
	static omt_board card;
	const uint64_t banks[2] = {1 << 20, 1 << 20};
	omt_design *design = malloc(sizeof *design);
	char xml[sizeof text + 64];
	omt_error err = {0};
	card = (omt_board){.host = -1};
	omt_model_settings_init(&card.settings);
	snprintf(xml, sizeof xml, text, protocol, protocol);
	if ((*hang && omt_model_settings_set(&card.settings, "registers", "hang", hang, &err)) ||
	    omt_board_memory_open(&card.memory, banks, 2, &err) ||
	    omt_design_read("text", xml, strlen(xml), design, &err) ||
	    omt_board_load(&card, design, library, &err) || !omt_board_alloc(&card, 0, 4096) ||
	    !omt_board_alloc(&card, 4096, 4096) || !omt_board_alloc(&card, 1 << 20, 4096)) {
		printf("%s\n", err.text);
		exit(1);
	}
	return &card;
}

static void drop(omt_board *card)
{
	omt_board_unload(card);
	omt_board_memory_close(&card->memory);
}

static omt_unit *unit_at(omt_board *card, uint64_t address)
{
	uint32_t offset = 9;
	omt_unit *unit = omt_board_unit(card, address, &offset);
	EXPECT(unit && offset == 0);
	return unit;
}

static void put(omt_board *card, omt_unit *unit, uint32_t offset, uint64_t value, size_t bytes)
{
	omt_error err;
	EXPECT(!omt_board_write(card, unit, offset, (const uint8_t *)&value, bytes, &err));
}

/* What the front does while it waits; false: nothing came within half a second. */
static bool news(omt_board *card, omt_unit *unit)
{
	struct pollfd fd = {.fd = unit->orders, .events = POLLIN};
	if (unit->child <= 0 || poll(&fd, 1, 500) != 1)
		return false;
	omt_board_land(card, unit);
	return true;
}

static int word_at(omt_board *card, uint64_t address)
{
	int word = 0;
	memcpy(&word, card->memory.data + address, sizeof word);
	return word;
}

static void test_hs(const char *library)
{
	omt_board *card = card_of(library, "ap_ctrl_hs", "");
	omt_unit *unit = unit_at(card, 0x10000);
	omt_error err;
	uint32_t offset;
	EXPECT(omt_board_unit(card, 0x10000 + 0x1000, &offset) == NULL);
	EXPECT(omt_board_unit(card, 0x20fff, &offset) && offset == 0xfff);
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_IDLE);
	put(card, unit, 0x10, 1 << 20, 8);
	EXPECT(omt_board_read(card, unit, 0x10) == 1 << 20 &&
	       omt_board_read(card, unit, 0x14) == 0);
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_IDLE);
	put(card, unit, 0, OMT_CTRL_START, 4);
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_START);
	put(card, unit, 0, OMT_CTRL_START, 4); /* said, and not taken */
	EXPECT(news(card, unit));
	EXPECT(omt_board_read(card, unit, 0) == (OMT_CTRL_DONE | OMT_CTRL_IDLE | OMT_CTRL_READY));
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_IDLE); /* cleared by reading */
	EXPECT(word_at(card, 1 << 20) == 1);
	put(card, unit, 0, OMT_CTRL_START, 4);
	EXPECT(news(card, unit));
	EXPECT(word_at(card, 1 << 20) == 2);
	EXPECT(omt_board_read(card, unit, 0) & OMT_CTRL_DONE);
	EXPECT(omt_board_write(card, unit, 0xffc, (const uint8_t *)"12345678", 8, &err));
	EXPECT(omt_board_write(card, unit, 2, (const uint8_t *)"1234", 4, &err));
	put(card, unit, 0x10, 8192, 8); /* no buffer there: the launch stays for ever */
	put(card, unit, 0, OMT_CTRL_START, 4);
	EXPECT(!news(card, unit));
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_START);
	drop(card);
}

static void test_chain(const char *library)
{
	omt_board *card = card_of(library, "ap_ctrl_chain", "");
	omt_unit *unit = unit_at(card, 0x20000);
	put(card, unit, 0x10, 0, 8);
	put(card, unit, 0x1c, 4096, 8);
	put(card, unit, 0x28, 1 << 20, 8);
	put(card, unit, 0x34, 1, 4);
	put(card, unit, 0x3c, 50, 4);
	((float *)(void *)card->memory.data)[0] = 1;
	put(card, unit, 0, OMT_CTRL_START, 4);
	put(card, unit, 0x28, (1 << 20) + 64, 8); /* of the next launch */
	put(card, unit, 0, OMT_CTRL_START, 4);
	put(card, unit, 0, OMT_CTRL_START, 4); /* a third one is not taken */
	EXPECT(news(card, unit));
	EXPECT(omt_board_read(card, unit, 0) ==
	       (OMT_CTRL_START | OMT_CTRL_DONE | OMT_CTRL_READY)); /* the next one runs */
	EXPECT(omt_board_read(card, unit, 0) & OMT_CTRL_DONE);     /* stays */
	put(card, unit, 0, OMT_CTRL_CONTINUE, 4);
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_START);
	EXPECT(news(card, unit));
	EXPECT(omt_board_read(card, unit, 0) == (OMT_CTRL_DONE | OMT_CTRL_IDLE | OMT_CTRL_READY));
	put(card, unit, 0, OMT_CTRL_CONTINUE, 4);
	EXPECT(omt_board_read(card, unit, 0) == OMT_CTRL_IDLE);
	EXPECT(word_at(card, 1 << 20) == 0x3f800000);
	EXPECT(word_at(card, (1 << 20) + 64) == 0x3f800000);
	EXPECT(!news(card, unit));
	drop(card);
}

/* The third launch of any kernel; another unit goes on. */
static void test_hang(const char *library)
{
	omt_board *card = card_of(library, "ap_ctrl_hs", "*:3");
	omt_unit *lonely = unit_at(card, 0x10000), *add = unit_at(card, 0x20000);
	for (uint32_t offset = 0x10; offset < 0x30; offset += 12)
		put(card, add, offset, 4096, 8);
	put(card, lonely, 0x10, 0, 8);
	put(card, lonely, 0, OMT_CTRL_START, 4);
	EXPECT(news(card, lonely));
	put(card, add, 0, OMT_CTRL_START, 4);
	EXPECT(news(card, add));
	EXPECT(omt_board_read(card, lonely, 0) & omt_board_read(card, add, 0) & OMT_CTRL_DONE);
	put(card, lonely, 0, OMT_CTRL_START, 4);
	put(card, add, 0, OMT_CTRL_START, 4);
	EXPECT(!news(card, lonely));
	EXPECT(news(card, add));
	EXPECT(omt_board_read(card, lonely, 0) == OMT_CTRL_START);
	EXPECT(omt_board_read(card, add, 0) & OMT_CTRL_DONE);
	drop(card);
}

static void test_library(const char *library)
{
	omt_design *design = calloc(1, sizeof *design);
	omt_error err;
	design->kernel_count = 1;
	strcpy(design->kernels[0].name, "missing");
	EXPECT(omt_worker_probe(library, design, &err) == OMT_BAD_FORMAT);
	EXPECT(strstr(err.text, "no function hls_call_missing"));
	EXPECT(omt_worker_probe("/nonexistent.so", design, &err) == OMT_BAD_FORMAT);
	free(design);
}

int main(int count, char **words)
{
	if (count != 2)
		return 2;
	test_hs(words[1]);
	test_chain(words[1]);
	test_hang(words[1]);
	test_library(words[1]);
	if (!wrong)
		printf("fine\n");
	return wrong;
}
