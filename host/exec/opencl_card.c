#include "exec/opencl_card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/hls_cost.h"
#include "exec/xclbin.h"

/* Of XRT's CL/cl_ext_xilinx.h; only programs for its platform are given them. */
#define MEM_EXT_PTR_XILINX (1u << 31)
#define XCL_MEM_TOPOLOGY   (1u << 31)
typedef struct mem_ext_ptr {
	unsigned flags;
	void *host_ptr;
	void *kernel;
} mem_ext_ptr;

/* Of Intel's SDK: bank n of a card is "channel" n + 1. */
#define MEM_CHANNEL_INTEL(bank) ((cl_mem_flags)((bank) + 1) << 16)
#define MOST_CHANNELS_INTEL     7

/* ---- what kernels do ---- */

/* What the manifest does not say is as in the kernels' sources. */
omt_hls_params omt_cl_card_params(const omt_cl_card *card, omt_op op)
{
	omt_hls_params params = card->entry.kernels[op].params;
	const omt_hls_params defaults = omt_hls_simulated(op);
#define FILL(name, macro) \
	if (!params.name) \
		params.name = defaults.name;
	OMT_HLS_PARAM_LIST(FILL)
#undef FILL
	return params;
}

bool omt_cl_card_supports(const omt_cl_card *card, omt_op op, const void *args)
{
	const omt_hls_params params = omt_cl_card_params(card, op);
	return card->units[op] && omt_hls_fits(op, args, &params);
}

/* Ops that several units can share: where their arguments have the flags that take a share, and the
 * rows of C. flags 0: it cannot be shared. */
static const struct {
	size_t flags, m;
} shared[OMT_OP_COUNT] = {
#define SHARED(op) [OMT_OP_##op] = {offsetof(omt_##op##_args, flags), offsetof(omt_##op##_args, m)}
	SHARED(gemm),
	SHARED(gemm_i8),
	SHARED(gemm_bf16),
#undef SHARED
};

static int32_t *scalar_at(const void *args, size_t at)
{
	return (int32_t *)((uintptr_t)args + at);
}

omt_cl_launch omt_cl_card_launch(const omt_cl_card *card, omt_op op, const void *args)
{
	const omt_bitstream_kernel *kernel = &card->entry.kernels[op];
	const omt_hls_params params = omt_cl_card_params(card, op);
	omt_cl_launch launch = {.units = card->units[op], .parts = 1, .names = kernel->name_count};
	if (shared[op].flags && kernel->units > 1) {
		const int32_t m = *scalar_at(args, shared[op].m);
		const int32_t tiles = (int32_t)omt_hls_divided(m, params.rows);
		launch.parts = tiles < kernel->units ? tiles : kernel->units;
		launch.parts = launch.parts ? launch.parts : 1;
		launch.tiles = tiles;
	}
	/* A unit has at most one tile more than its part. */
	const omt_hls_cost cost = omt_hls_cost_of(op, args, &params, NULL);
	launch.predicted_s = (double)cost.cycles / (1e6 * card->entry.clock_mhz);
	launch.patience_s = launch.predicted_s * card->entry.timeout_factor;
	if (launch.patience_s < 1e-3 * card->entry.timeout_floor_ms)
		launch.patience_s = 1e-3 * card->entry.timeout_floor_ms;
	return launch;
}

void omt_cl_card_share(omt_op op, const void *args, int32_t part, int32_t parts,
                       omt_op_any_args *share)
{
	memcpy(share, args, omt_op_args_bytes(op));
	if (parts > 1)
		*scalar_at(share, shared[op].flags) |= OMT_GEMM_SHARE(part, parts);
}

/* ---- memory ---- */

/* Weights from the first bank on, others from the last one on. */
static omt_cl_bank *choose_bank(omt_cl_card *card, size_t bytes, omt_usage usage)
{
	const int kind = usage != OMT_USAGE_WEIGHT;
	omt_cl_bank *best = NULL;
	for (int32_t i = 0; i < card->bank_count; i++) {
		omt_cl_bank *bank = &card->banks[kind ? card->bank_count - 1 - i : i];
		if (!best || bank->bytes[kind] < best->bytes[kind])
			best = bank;
	}
	best->bytes[kind] += bytes;
	return best;
}

/* A buffer of XRT's has a place on the card from its first migration on: until then, what is
 * written stays on the host. */
static cl_int give_place(cl_command_queue queue, cl_mem memory)
{
	cl_event event;
	cl_int code = clEnqueueMigrateMemObjects(
		queue, 1, &memory, CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 0, NULL, &event);
	if (code != CL_SUCCESS)
		return code;
	code = clWaitForEvents(1, &event);
	clReleaseEvent(event);
	return code;
}

uint64_t omt_cl_card_most_bytes(const omt_cl_card *card)
{
	omt_xclbin_bank banks[OMT_BITSTREAM_BANKS];
	uint64_t most = UINT64_MAX;
	size_t count;
	omt_error err;
	if ((card->entry.flow == OMT_FLOW_intel && card->bank_count == 1) ||
	    omt_xclbin_card_banks(card->entry.card, banks, &count, &err) != OMT_OK)
		return UINT64_MAX;
	for (int32_t i = 0; i < card->bank_count; i++) {
		const size_t number = (size_t)card->banks[i].number;
		if (number < count && banks[number].bytes < most)
			most = banks[number].bytes;
	}
	return most;
}

omt_status omt_cl_card_alloc(omt_cl_card *card, size_t bytes, omt_usage usage, cl_mem *memory,
                             omt_cl_bank **chosen, omt_error *err)
{
	cl_int code;
	omt_cl_bank *bank = choose_bank(card, bytes, usage);
	cl_mem_flags flags = CL_MEM_READ_WRITE;
	mem_ext_ptr place = {.flags = XCL_MEM_TOPOLOGY | (unsigned)bank->number};
	void *host = NULL;
	if (card->entry.flow == OMT_FLOW_xrt) {
		flags |= MEM_EXT_PTR_XILINX;
		host = &place;
	} else if (card->entry.flow == OMT_FLOW_intel && !strcmp(card->entry.target, "hw") &&
	           card->bank_count > 1 && bank->number < MOST_CHANNELS_INTEL) {
		/* A single bank is all channels interleaved; emulation has one memory. */
		flags |= MEM_CHANNEL_INTEL(bank->number);
	}
	*chosen = bank;
	*memory = clCreateBuffer(card->context, flags, bytes, host, &code);
	if (code == CL_SUCCESS && card->entry.flow == OMT_FLOW_xrt)
		code = give_place(bank->queue, *memory);
	if (code == CL_SUCCESS)
		return OMT_OK;
	if (*memory)
		clReleaseMemObject(*memory);
	*memory = NULL;
	return OMT_FAIL(err, DEVICE, "%s: a buffer of %zu bytes in bank %d: %s (%d)", card->name,
	                bytes, bank->number, omt_cl_error(code), code);
}

/* The banks that all kernels reach. */
static omt_status find_banks(omt_cl_card *card, omt_error *err)
{
	bool first = true, common[OMT_BITSTREAM_BANKS] = {false};
	for (int32_t op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &card->entry.kernels[op];
		bool reached[OMT_BITSTREAM_BANKS] = {false};
		for (int32_t i = 0; i < kernel->bank_count; i++)
			reached[kernel->banks[i]] = true;
		for (int32_t b = 0; kernel->units && b < OMT_BITSTREAM_BANKS; b++)
			common[b] = reached[b] && (first || common[b]);
		first &= !kernel->units;
	}
	for (int32_t b = 0; b < OMT_BITSTREAM_BANKS; b++)
		if (common[b])
			card->banks[card->bank_count++].number = b;
	if (!card->bank_count)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no bank of memory that all kernels reach",
		                card->name);
	return OMT_OK;
}

/* ---- open and close ---- */

/* XRT's emulation ends the process where it finds no program to be the card. */
static omt_status check_emulation(const omt_cl_card *card, omt_error *err)
{
	static const char *const places[] = {"cpu_em", "sw_emu"}; /* by the version */
	const char *target = card->entry.target, *vitis = getenv("XILINX_VITIS");
	const char *mode = getenv("XCL_EMULATION_MODE");
	char path[4096];
	if (card->entry.flow != OMT_FLOW_xrt)
		return OMT_OK;
	if (strcmp(mode ? mode : "hw", target))
		return OMT_FAIL(err, DEVICE, "%s: target is %s, XCL_EMULATION_MODE is %s",
		                card->name, target, mode ? mode : "not set");
	for (size_t i = 0; !strcmp(target, "sw_emu") && vitis && i < 2; i++) {
		snprintf(path, sizeof path,
		         "%s/data/emulation/unified/%s/generic_pcie/model/genericpciemodel", vitis,
		         places[i]);
		if (access(path, X_OK) == 0)
			return OMT_OK;
	}
	if (strcmp(target, "sw_emu"))
		return OMT_OK;
	return OMT_FAIL(err, DEVICE,
	                "%s: no genericpciemodel in XILINX_VITIS (%s): make fpga, "
	                ". build/fpga/env.sh",
	                card->name, vitis ? vitis : "not set");
}

static void first_failed(void *user, bool passed, const char *text)
{
	omt_error *failed = user;
	if (!passed && failed->status == OMT_OK)
		OMT_FAIL(failed, MISMATCH, "%s", text);
}

/* XRT reads beyond the end of what is no container: it gets none. One of our making says what it
 * was made of, which has to be what the entry says. */
static omt_status check_container(const omt_cl_card *card, const omt_map *map, omt_error *err)
{
	omt_xclbin file;
	omt_error failed = {.status = OMT_OK};
	omt_xclbin_checks checks = {.line = first_failed, .user = &failed};
	json_t *design = NULL;
	if (card->entry.flow != OMT_FLOW_xrt)
		return OMT_OK;
	OMT_TRY(omt_xclbin_parse(card->entry.file, map->data, map->bytes, &file, err));
	omt_status status = omt_xclbin_design(&file, &design, err);
	json_t *values = status == OMT_OK ? omt_xclbin_values(&file) : NULL;
	if (json_object_get(values, "omnitile.contract"))
		omt_xclbin_verify(&file, &card->entry, &checks);
	if (failed.status != OMT_OK)
		status = omt_fail(err, failed.status, "%s: %s", card->entry.file, failed.text);
	json_decref(values);
	json_decref(design);
	omt_xclbin_free(&file);
	return status;
}

static omt_status load_program(omt_cl_card *card, cl_device_id device, const omt_bitstreams *all,
                               omt_error *err)
{
	omt_map map;
	cl_int state = CL_SUCCESS, code;
	OMT_TRY(omt_bitstream_load(all, &card->entry, &map, err));
	const omt_status status = check_container(card, &map, err);
	if (status != OMT_OK) {
		omt_map_close(&map);
		return omt_fail_at(err, status, "%s", card->name);
	}
	card->program = clCreateProgramWithBinary(card->context, 1, &device, &map.bytes,
	                                          (const unsigned char **)&map.data, &state, &code);
	omt_map_close(&map);
	if (code == CL_SUCCESS && state == CL_SUCCESS)
		code = clBuildProgram(card->program, 1, &device, "", NULL, NULL);
	if (code == CL_SUCCESS && state == CL_SUCCESS)
		return OMT_OK;
	code = code != CL_SUCCESS ? code : state;
	return OMT_FAIL(err, DEVICE, "%s: the device refuses the program %s: %s (%d)", card->name,
	                card->entry.file, omt_cl_error(code), code);
}

static omt_status open_unit(omt_cl_card *card, cl_device_id device, omt_op op, int32_t unit,
                            int32_t name, omt_cl_unit *made, omt_error *err)
{
	const omt_bitstream_kernel *kernel = &card->entry.kernels[op];
	char text[OMT_BITSTREAM_UNIT_TEXT];
	cl_int code;
	omt_bitstream_unit(&card->entry, kernel, name, unit, text);
	snprintf(made->name, sizeof made->name, "%s", kernel->names[name]);
	made->kernel = clCreateKernel(card->program, text, &code);
	if (code != CL_SUCCESS) {
		made->kernel = NULL;
		return OMT_FAIL(err, MISMATCH, "%s: %s has no kernel %s: %s (%d)", card->name,
		                card->entry.file, text, omt_cl_error(code), code);
	}
	omt_error why;
	if (omt_cl_kernel_check(made->kernel, op, card->entry.flow == OMT_FLOW_xrt, &why) != OMT_OK)
		return OMT_FAIL(err, MISMATCH, "%s, %s: %s", card->name, card->entry.file,
		                why.text);
	/* Kernels that make an op together have to take its launches in one order. */
	return omt_cl_queue_open(card->context, device, kernel->name_count == 1, &made->queue, err);
}

static omt_status open_units(omt_cl_card *card, cl_device_id device, omt_error *err)
{
	for (int32_t op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &card->entry.kernels[op];
		const int32_t count = kernel->units * kernel->name_count;
		if (!kernel->units)
			continue;
		card->units[op] = calloc((size_t)count, sizeof *card->units[op]);
		if (!card->units[op])
			return OMT_FAIL(err, NO_MEMORY, "%d compute units", count);
		for (int32_t i = 0; i < count; i++)
			OMT_TRY(open_unit(card, device, (omt_op)op, i / kernel->name_count,
			                  i % kernel->name_count, &card->units[op][i], err));
	}
	return OMT_OK;
}

omt_status omt_cl_card_open(cl_context context, const omt_cl_device *device,
                            const omt_bitstreams *all, omt_cl_card **given, omt_error *err)
{
	omt_cl_card *card = *given = calloc(1, sizeof *card);
	if (!card)
		return OMT_FAIL(err, NO_MEMORY, "a card");
	card->entry = *device->binary;
	card->context = context;
	snprintf(card->name, sizeof card->name, "%s (bitstream %s)", card->entry.card,
	         card->entry.name);
	OMT_TRY(find_banks(card, err));
	OMT_TRY(check_emulation(card, err));
	OMT_TRY(load_program(card, device->device, all, err));
	OMT_TRY(open_units(card, device->device, err));
	for (int32_t b = 0; b < card->bank_count; b++)
		OMT_TRY(omt_cl_queue_open(context, device->device, true, &card->banks[b].queue,
		                          err));
	return OMT_OK;
}

void omt_cl_card_close(omt_cl_card *card)
{
	if (!card)
		return;
	for (int32_t op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &card->entry.kernels[op];
		for (int32_t i = 0; card->units[op] && i < kernel->units * kernel->name_count;
		     i++) {
			if (card->units[op][i].kernel)
				clReleaseKernel(card->units[op][i].kernel);
			if (card->units[op][i].queue)
				clReleaseCommandQueue(card->units[op][i].queue);
		}
		free(card->units[op]);
	}
	for (int32_t b = 0; b < card->bank_count; b++)
		if (card->banks[b].queue)
			clReleaseCommandQueue(card->banks[b].queue);
	if (card->program)
		clReleaseProgram(card->program);
	free(card);
}
