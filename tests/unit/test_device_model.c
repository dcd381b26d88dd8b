/* The parts of the device model (hls/device_model) that need neither XRT nor protobuf;
 * tests/fpga/model.sh has the rest. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "exec/hls_cost.h"
#include "hls/device_model/cycles.h"
#include "hls/device_model/design.h"
#include "hls/device_model/frame.h"
#include "hls/device_model/memory.h"
#include "hls/device_model/settings.h"
#include "hls/device_model/timing.h"
#include "tests/unit/scratch.h"

TestSuite(device_model, .init = scratch_make, .fini = scratch_drop);

/* ---- frames ---- */

/* 5 bytes for call 7, as the shim writes it. */
static const uint8_t call_7[OMT_FRAME_CALL] = {0x09, 5, 0, 0, 0, 0, 0, 0, 0, 0x15, 7, 0, 0, 0};

Test(device_model, frame_headers)
{
	uint8_t header[OMT_FRAME_CALL], reply[OMT_FRAME_REPLY];
	const uint8_t wanted[OMT_FRAME_REPLY] = {0x09, 0xef, 0xcd, 0xab, 0x89,
	                                         0x67, 0x45, 0x23, 0x01};
	uint64_t bytes;
	uint32_t api;
	omt_error err;
	cr_assert_eq(omt_frame_parse(call_7, &bytes, &api, &err), OMT_OK);
	cr_assert(bytes == 5 && api == 7);
	omt_frame_header(reply, 0x0123456789abcdef);
	cr_assert_eq(memcmp(reply, wanted, sizeof wanted), 0);
	for (size_t i = 0; i < sizeof header; i++) {
		memcpy(header, call_7, sizeof header);
		header[i] ^= 0x80;
		omt_status status = omt_frame_parse(header, &bytes, &api, &err);
		if (i == 0 || i == 9) /* tags */
			cr_expect_eq(status, OMT_BAD_FORMAT);
		else if (i > 3 && i < 9) /* more than a GiB */
			cr_expect_eq(status, OMT_LIMIT);
		else
			cr_expect_eq(status, OMT_OK);
	}
}

Test(device_model, frame_stream)
{
	omt_frame_buffer call = {0};
	uint8_t got[OMT_FRAME_REPLY + 3];
	uint32_t api = 0;
	bool open = false;
	int ends[2];
	omt_error err;
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_assert_eq(write(ends[1], call_7, sizeof call_7), (ssize_t)sizeof call_7);
	cr_assert_eq(write(ends[1], "abcde", 5), 5);
	cr_assert_eq(omt_frame_read(ends[0], &api, &call, &open, &err), OMT_OK);
	cr_assert(open && api == 7 && call.bytes == 5 && !memcmp(call.data, "abcde", 5));
	cr_assert_eq(omt_frame_write(ends[0], (const uint8_t *)"xyz", 3, &err), OMT_OK);
	cr_assert_eq(read(ends[1], got, sizeof got), (ssize_t)sizeof got);
	cr_assert(got[1] == 3 && !memcmp(got + OMT_FRAME_REPLY, "xyz", 3));
	/* Cut off within a call. */
	cr_assert_eq(write(ends[1], call_7, sizeof call_7), (ssize_t)sizeof call_7);
	cr_assert_eq(write(ends[1], "abc", 3), 3);
	close(ends[1]);
	cr_assert_eq(omt_frame_read(ends[0], &api, &call, &open, &err), OMT_OK);
	cr_assert_not(open);
	cr_assert_eq(omt_frame_read(ends[0], &api, &call, &open, &err), OMT_OK);
	cr_assert_not(open);
	cr_assert_eq(omt_frame_write(ends[0], (const uint8_t *)"xyz", 3, &err), OMT_OK);
	close(ends[0]);
	free(call.data);
}

/* ---- memory ---- */

Test(device_model, memory_of_a_card)
{
	static const uint64_t banks[3] = {1 << 20, 1 << 20, (uint64_t)1 << 36}; /* sparse */
	const uint64_t third = 2 << 20;
	omt_board_memory memory;
	omt_error err;
	uint8_t *data;
	cr_assert_eq(omt_board_memory_open(&memory, banks, 3, &err), OMT_OK);
	cr_assert_eq(omt_board_memory_alloc(&memory, 0, 8192, &err), OMT_OK);
	cr_assert_eq(omt_board_memory_alloc(&memory, 16384, 4096, &err), OMT_OK);
	cr_assert_eq(omt_board_memory_alloc(&memory, 8192, 8192, &err), OMT_OK);
	cr_assert_eq(omt_board_memory_alloc(&memory, third + (1 << 20), (uint64_t)1 << 35, &err),
	             OMT_OK);
	const struct {
		uint64_t address, bytes;
	} bad[] = {{4096, 4096},
	           {12288, 4096},
	           {100, 4096},
	           {20480, 0},
	           {third - 4096, 8192},
	           {20480, 1 << 20},
	           {UINT64_MAX - 4095, 1},
	           {third, 2 << 20},
	           {third, UINT64_MAX}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_expect_eq(omt_board_memory_alloc(&memory, bad[i].address, bad[i].bytes, &err),
		             OMT_BAD_ARGUMENT, "%zu", i);
	cr_expect(omt_board_memory_bank(&memory, third - 1) == 1);
	cr_expect(omt_board_memory_bank(&memory, third) == 2);
	cr_expect(omt_board_memory_bank(&memory, UINT64_MAX) == 3);
	cr_expect(omt_board_memory_find(&memory, 8191)->address == 0);
	cr_expect(omt_board_memory_find(&memory, 8192)->address == 8192);
	cr_expect(omt_board_memory_find(&memory, 20480) == NULL);
	cr_assert_eq(omt_board_memory_span(&memory, 8192, 8192, &data, &err), OMT_OK);
	memset(data, 7, 8192);
	/* Two neighbours are not one buffer. */
	cr_expect_eq(omt_board_memory_span(&memory, 8192, 8193, &data, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_board_memory_span(&memory, 8191, UINT64_MAX, &data, &err),
	             OMT_BAD_ARGUMENT);
	/* What was freed reads as zeros for the next one. */
	cr_assert_eq(omt_board_memory_free(&memory, 8192, &err), OMT_OK);
	cr_expect_eq(omt_board_memory_free(&memory, 8192, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_board_memory_free(&memory, 1, &err), OMT_BAD_ARGUMENT);
	cr_assert_eq(omt_board_memory_alloc(&memory, 8192, 4096, &err), OMT_OK);
	cr_assert_eq(omt_board_memory_span(&memory, 8192, 4096, &data, &err), OMT_OK);
	cr_expect(data[0] == 0 && data[4095] == 0);
	omt_board_memory_close(&memory);
}

Test(device_model, memory_that_is_none)
{
	static const uint64_t odd[1] = {4097}, none[1] = {0};
	omt_board_memory memory;
	omt_error err;
	cr_expect_eq(omt_board_memory_open(&memory, odd, 1, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_board_memory_open(&memory, none, 1, &err), OMT_BAD_ARGUMENT);
	cr_expect_eq(omt_board_memory_open(&memory, odd, 0, &err), OMT_BAD_ARGUMENT);
}

/* ---- settings ---- */

Test(device_model, settings)
{
	omt_model_settings settings;
	omt_error err;
	omt_model_settings_init(&settings);
	cr_assert_eq(omt_model_settings_parse(&settings, "model.ini",
	                                      "# a card\n\n clock_mhz = 250.5 # slow\n"
	                                      "hang=gemm:3\ncrash = *\nlog = /a b/c\r\nlost=7",
	                                      &err),
	             OMT_OK, "%s", err.text);
	cr_expect(settings.clock_mhz == 250.5 && settings.lost == 7 &&
	          settings.memory_gbps == 19.2);
	cr_expect(!strcmp(settings.hang.kernel, "gemm") && settings.hang.launch == 3);
	cr_expect(!strcmp(settings.crash.kernel, "*") && settings.crash.launch == 1);
	cr_expect_str_eq(settings.log, "/a b/c");
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"\nclock = 1", "model.ini:2: no setting is called clock"},
		{"clock_mhz", "model.ini:1: not `name = value`"},
		{"clock_mhz = fast",
	         "model.ini:1: clock_mhz = fast is not a number from 0 to 10000"},
		{"clock_mhz = nan", "is not a number"},
		{"clock_mhz = 10001", "is not a number"},
		{"lost = 0", "lost = 0 is not a whole number from 1 on"},
		{"lost = -1", "is not a whole number"},
		{"lost = 99999999999999999999", "is not a whole number"},
		{"hang = gemm:", "hang = gemm: is not KERNEL or KERNEL:LAUNCH"},
		{"hang = :1", "is not KERNEL"},
		{"hang =", "is not KERNEL"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_expect_neq(omt_model_settings_parse(&settings, "model.ini", bad[i].text, &err),
		              OMT_OK);
		cr_expect(strstr(err.text, bad[i].says), "%s", err.text);
	}
}

Test(device_model, settings_from_file_and_environment)
{
	omt_model_settings settings;
	omt_error err;
	setenv("EMCONFIG_PATH", scratch_folder, 1);
	cr_assert_eq(omt_model_settings_load(&settings, &err), OMT_OK);
	cr_expect(settings.clock_mhz == 0 && settings.launch_us == 5);
	FILE *file = fopen(scratch_path("model.ini"), "w");
	fputs("clock_mhz = 100\npace = 2\n", file);
	fclose(file);
	setenv("OMT_MODEL_CLOCK_MHZ", "200", 1);
	cr_assert_eq(omt_model_settings_load(&settings, &err), OMT_OK);
	cr_expect(settings.clock_mhz == 200 && settings.pace == 2);
	setenv("OMT_MODEL_PACE", "-1", 1);
	cr_expect_eq(omt_model_settings_load(&settings, &err), OMT_BAD_ARGUMENT);
	cr_expect(strstr(err.text, "OMT_MODEL_PACE: pace = -1 is not"), "%s", err.text);
}

/* ---- a container's kernels ---- */

#define DESIGN(inside)                                                        \
	"<project><platform><device><core><kernelClocks>"                     \
	"<clock port='KERNEL_CLK' frequency='250MHz'/></kernelClocks>" inside \
	"</core></device></platform></project>"
#define KERNEL(name, args, base)                                                         \
	"<kernel name='" name "'><port name='S' mode='slave' range='0x100'/>"            \
	"<port name='M' mode='master' range='0xFFFFFFFF'/>" args "<instance name='" name \
	"_1'><addrRemap base='" base "'/></instance></kernel>"
#define ARG(id, qualifier, offset, size)                                                   \
	"<arg name='a" id "' id='" id "' addressQualifier='" qualifier "' offset='" offset \
	"' size='" size "' hostSize='" size "'/>"

static omt_status read_design(const char *text, omt_design *design, omt_error *err)
{
	return omt_design_read("x", text, strlen(text), design, err);
}

Test(device_model, design)
{
	static omt_design design;
	omt_error err;
	cr_assert_eq(
		read_design(DESIGN(KERNEL("add",
	                                  ARG("1", "0", "0x1c", "4") ARG("0", "1", "0x10", "0x8"),
	                                  "0x20000") KERNEL("mul", "", "0x10000")),
	                    &design, &err),
		OMT_OK, "%s", err.text);
	cr_expect(design.clock_mhz == 250 && design.kernel_count == 2 && design.unit_count == 2);
	const omt_design_kernel *add = &design.kernels[0];
	cr_expect(add->arg_count == 2 && add->range == 0x100 && !add->chain);
	cr_expect(add->args[0].buffer && add->args[0].offset == 0x10 && add->args[0].bytes == 8);
	cr_expect(!add->args[1].buffer && add->args[1].offset == 0x1c && add->args[1].bytes == 4);
	cr_expect(design.units[1].kernel == 1 && design.units[1].base == 0x10000);
	cr_expect_str_eq(design.units[0].name, "add_1");
}

Test(device_model, designs_that_are_none)
{
	static omt_design design;
	static const struct {
		const char *text, *says;
	} bad[] = {
		{DESIGN(KERNEL("add", ARG("1", "0", "0x10", "4"), "0")),
	         "add has no argument with id 0"},
		{DESIGN(KERNEL("add", ARG("0", "0", "0x10", "4") ARG("0", "0", "0x20", "4"), "0")),
	         "the id of another"},
		{DESIGN(KERNEL("add", ARG("0", "1", "0x10", "8") ARG("1", "0", "0x14", "4"), "0")),
	         "argument a1 of add at 0x14 overlaps"},
		{DESIGN(KERNEL("add", ARG("0", "1", "0x10", "4"), "0")), "has 4 bytes"},
		{DESIGN(KERNEL("add", ARG("0", "1", "0xfc", "8"), "0")), "lies outside"},
		{DESIGN(KERNEL("add", ARG("0", "0", "0xc", "4"), "0")), "lies outside"},
		{DESIGN(KERNEL("add", ARG("0", "4", "0x10", "8"), "0")), "addressQualifier"},
		{DESIGN(KERNEL("add", ARG("64", "0", "0x10", "4"), "0")), "id"},
		{DESIGN(KERNEL("add", "", "0x10")), "no address of whole pages"},
		{DESIGN(KERNEL("add", "", "0x100000000")), "base"},
		{DESIGN(KERNEL("add", "", "0x1000") KERNEL("mul", "", "0x1000")), "overlap"},
		{DESIGN(KERNEL("", "", "0")), "no name"},
		{"<project/>", "no project/platform/device/core"},
		{"<project>", "not XML"},
	};
	omt_error err;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		cr_expect_neq(read_design(bad[i].text, &design, &err), OMT_OK, "%zu", i);
		cr_expect(strstr(err.text, bad[i].says), "%zu: %s", i, err.text);
	}
}

/* ---- time ---- */

/* Arguments in a table give what the op's own structure gives; other kernels have no formula. */
Test(device_model, cycles_of_a_launch)
{
	const omt_hls_params params = omt_hls_simulated(OMT_OP_l2norm);
	const omt_l2norm_args args = {.rows = 7, .cols = 100, .ldx = 128, .ldo = 100, .eps = 1e-6f};
	omt_l2norm_args copy = args;
	float data[1] = {0};
	void *table[] = {data, data, &copy.rows, &copy.cols, &copy.ldx, &copy.ldo, &copy.eps};
	const uint64_t wanted = omt_hls_cost_of(OMT_OP_l2norm, &args, &params, NULL).cycles;
	cr_expect_gt(wanted, 0);
	cr_expect_eq(omt_model_cycles("l2norm", table, 7, (const int32_t *)&params), wanted);
	cr_expect_eq(omt_model_cycles("l2norm", table, 6, (const int32_t *)&params), 0);
	cr_expect_eq(omt_model_cycles("other", table, 7, (const int32_t *)&params), 0);
}

Test(device_model, modelled_time)
{
	omt_model_settings settings;
	omt_model_settings_init(&settings);
	settings.memory_gbps = 10;
	/* 3000 cycles of the busiest stage at 300 MHz: 10 us; 200 kB in two banks: 10 us. */
	omt_landing landing = {.counts = {{1000, 3000, 10}, 150000, 50000}};
	omt_modelled at = omt_model_kernel(&settings, 0, &landing, 2);
	cr_expect(at.clock_mhz == 300 && at.cycles == 3000);
	cr_expect(fabs(at.seconds - (10e-6 + 5e-6 + 200e-9)) < 1e-12);
	cr_expect(fabs(omt_model_kernel(&settings, 0, &landing, 1).seconds - 25.2e-6) < 1e-12);
	cr_expect(fabs(omt_model_kernel(&settings, 100, &landing, 2).seconds - 35.2e-6) < 1e-12);
	landing.cycles = 6000; /* the kernel's formula says so */
	cr_expect(fabs(omt_model_kernel(&settings, 300, &landing, 2).seconds - 25.2e-6) < 1e-12);
	settings.clock_mhz = 600; /* before the container's */
	cr_expect(omt_model_kernel(&settings, 100, &landing, 2).clock_mhz == 600);
	cr_expect(fabs(omt_model_copy(&settings, 12000000) - 1010e-6) < 1e-12);
}
