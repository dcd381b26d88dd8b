/* What vendors' tools are given. Sources: UG1702 (v++ Mode HLS, Package Options, Connectivity
 * Options), Intel FPGA SDK for OpenCL Pro Edition Programming Guide (683846), 7. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "exec/bitstream_build.h"
#include "exec/hls_source.h"
#include "exec/xclbin.h"

typedef struct recipe {
	const omt_bitstream *entry;
	const char *sources, *folder;
} recipe;

/* One file of the recipe, "<stem><ending>" in its folder. */
typedef omt_status write_file(const recipe *from, omt_op op, int32_t unit, FILE *to,
                              omt_error *err);

static omt_status make_file(const recipe *from, const char *stem, const char *ending,
                            write_file *write, omt_op op, int32_t unit, omt_error *err)
{
	char name[128];
	omt_output output = {0};
	snprintf(name, sizeof name, "%s%s", stem, ending);
	char *path = omt_path_join(from->folder, name);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", from->folder);
	omt_status status = omt_output_open(path, &output, err);
	free(path);
	OMT_TRY(status);
	status = write(from, op, unit, output.stream, err);
	const omt_status closed =
		omt_output_close(&output, status == OMT_OK, status == OMT_OK ? err : NULL);
	return status == OMT_OK ? closed : status;
}

/* An op's source as one text with its own parameters, the same for both: the folder can go to the
 * machine where the tools are. */
static omt_status write_source(const recipe *from, omt_op op, int32_t unit, FILE *to,
                               omt_error *err)
{
	char *path;
	OMT_TRY(omt_hls_source_find(from->sources, op, &path, err));
	if (unit)
		fprintf(to, "#define HLS_UNIT %d\n", unit + 1);
	omt_hls_defines(to, op, &from->entry->kernels[op].params, "#define ", " ", "\n");
	omt_status status = omt_hls_source_flatten(path, to, err);
	free(path);
	return status;
}

/* Options of v++ -c --mode hls. */
static omt_status write_compile(const recipe *from, omt_op op, int32_t unit, FILE *to,
                                omt_error *err)
{
	const char *name = omt_op_infos[op].name;
	(void)from;
	(void)unit;
	(void)err;
	fprintf(to,
	        "[hls]\nflow_target=vitis\nsyn.top=%s\nsyn.file=%s.c\n"
	        "package.output.format=xo\npackage.output.file=%s.xo\n",
	        name, name, name);
	return OMT_OK;
}

/* "DDR[0:1]" of a kernel's banks, which lie side by side and are of one kind. */
static omt_status write_banks(const recipe *from, omt_op op, const omt_xclbin_bank *banks,
                              size_t count, char text[32], omt_error *err)
{
	const omt_bitstream_kernel *kernel = &from->entry->kernels[op];
	const int32_t first = kernel->banks[0], last = kernel->banks[kernel->bank_count - 1];
	const bool there = (size_t)last < count;
	const size_t kind = there ? strcspn(banks[first].tag, "[") : 0;
	if (!there || last - first + 1 != kernel->bank_count ||
	    strncmp(banks[first].tag, banks[last].tag, kind + 1))
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: banks %d to %d of %s: v++ takes banks of one kind that lie "
		                "side by side; the card has %zu",
		                from->entry->name, first, last, omt_op_infos[op].name, count);
	const size_t length = strlen(banks[first].tag);
	if (last > first)
		snprintf(text, 32, "%.*s:%s", (int)length - 1, banks[first].tag,
		         banks[last].tag + kind + 1);
	else
		snprintf(text, 32, "%s", banks[first].tag);
	return OMT_OK;
}

/* UG1393 and UG1701, "Mapping Kernel Ports to Memory". */
#define MOST_PORTS 15

omt_status omt_bitstream_ports_check(const omt_bitstream *entry, omt_error *err)
{
	int32_t ports[OMT_BITSTREAM_BANKS] = {0};
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &entry->kernels[op];
		for (int32_t i = 0; kernel->units && i < kernel->bank_count; i++)
			ports[kernel->banks[i]] += kernel->units * omt_op_infos[op].ports;
	}
	for (int32_t bank = 0; bank < OMT_BITSTREAM_BANKS; bank++)
		if (ports[bank] > MOST_PORTS)
			return OMT_FAIL(err, UNSUPPORTED,
			                "%s: %d ports of kernels on bank %d, v++ takes %d",
			                entry->name, ports[bank], bank, MOST_PORTS);
	return OMT_OK;
}

static omt_status write_units(const recipe *from, omt_op op, const omt_xclbin_bank *banks,
                              size_t count, FILE *to, omt_error *err)
{
	const omt_op_info *info = &omt_op_infos[op];
	const omt_bitstream_kernel *kernel = &from->entry->kernels[op];
	char reach[32];
	if (kernel->name_count > 1)
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: %s is made of %d kernels; on flow xrt an op is one",
		                from->entry->name, info->name, kernel->name_count);
	OMT_TRY(write_banks(from, op, banks, count, reach, err));
	fprintf(to, "nk=%s:%d\n", kernel->names[0], kernel->units);
	for (int32_t unit = 1; unit <= kernel->units; unit++)
		for (int32_t i = 0; i < info->buffers; i++)
			fprintf(to, "sp=%s_%d.%s:%s\n", kernel->names[0], unit,
			        info->buffer[i].name, reach);
	return OMT_OK;
}

/* Options of v++ -l. */
static omt_status write_link(const recipe *from, omt_op op, int32_t unit, FILE *to, omt_error *err)
{
	omt_xclbin_bank banks[OMT_BITSTREAM_BANKS];
	size_t count;
	(void)unit;
	OMT_TRY(omt_xclbin_card_banks(from->entry->card, banks, &count, err));
	if (strcmp(from->entry->target, "sw_emu"))
		OMT_TRY(omt_bitstream_ports_check(from->entry, err));
	fprintf(to, "[connectivity]\n");
	for (op = 0; op < OMT_OP_COUNT; op++)
		if (from->entry->kernels[op].units)
			OMT_TRY(write_units(from, op, banks, count, to, err));
	return OMT_OK;
}

static bool has_banks(const omt_bitstream *entry)
{
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		if (entry->kernels[op].units && entry->kernels[op].bank_count > 1)
			return true;
	return false;
}

/* aoc makes one file of all .cl that it is given at once: objects keep each op's macros apart. With
 * several banks the host places buffers, otherwise the channels of a memory are interleaved. */
static void write_aoc(const omt_bitstream *entry, FILE *to)
{
	fprintf(to,
	        "options=\"-board=${BOARD:?a board of aoc -list-boards} -cl-kernel-arg-info "
	        "-clock=%gMHz%s\"\n",
	        entry->clock_mhz, has_banks(entry) ? " -no-interleaving=default" : "");
	fputs("for source in *.cl; do\n"
	      "\taoc -c $options -o \"${source%.cl}.aoco\" \"$source\"\n"
	      "done\n",
	      to);
	fprintf(to,
	        "aoc -rtl $options -o %s.aocr *.aoco\n"
	        "aoc -o %s %s.aocr\n",
	        entry->name, entry->file, entry->name);
}

/* The commands, for `sh build.sh` in the folder. */
static omt_status write_commands(const recipe *from, omt_op op, int32_t unit, FILE *to,
                                 omt_error *err)
{
	const omt_bitstream *entry = from->entry;
	const long long hz = (long long)(entry->clock_mhz * 1e6);
	(void)unit;
	(void)err;
	fprintf(to, "set -eu\ncd \"$(dirname \"$0\")\"\n");
	if (entry->flow != OMT_FLOW_xrt) {
		write_aoc(entry, to);
		return OMT_OK;
	}
	fprintf(to, "platform=\"${PLATFORM:?the platform of the card, as v++ names it}\"\n");
	for (op = 0; op < OMT_OP_COUNT; op++)
		if (entry->kernels[op].units)
			fprintf(to,
			        "v++ -c --mode hls --platform \"$platform\" --freqhz=%lld "
			        "--config %s.cfg --work_dir %s\n"
			        "objects=\"${objects-} $(find . -name %s.xo -print -quit)\"\n",
			        hz, omt_op_infos[op].name, omt_op_infos[op].name,
			        omt_op_infos[op].name);
	fprintf(to,
	        "v++ -l -t %s --platform \"$platform\" --freqhz=%lld --config link.cfg -o %s "
	        "$objects\n",
	        entry->target, hz, entry->file);
	return OMT_OK;
}

/* ---- all of it ---- */

static omt_status make_op(const recipe *from, omt_op op, omt_error *err)
{
	const omt_bitstream_kernel *kernel = &from->entry->kernels[op];
	const char *name = omt_op_infos[op].name;
	char stem[64];
	if (from->entry->flow == OMT_FLOW_xrt && kernel->units) {
		OMT_TRY(make_file(from, name, ".c", write_source, op, 0, err));
		return make_file(from, name, ".cfg", write_compile, op, 0, err);
	}
	for (int32_t i = 0; i < kernel->units; i++) {
		snprintf(stem, sizeof stem, i ? "%s_%d" : "%s", name, i + 1);
		OMT_TRY(make_file(from, stem, ".cl", write_source, op, i, err));
	}
	return OMT_OK;
}

omt_status omt_bitstream_recipe(const omt_bitstreams *all, const omt_bitstream *entry,
                                const char *sources, const char *folder, omt_error *err)
{
	const recipe from = {entry, sources, folder};
	OMT_TRY(omt_bitstream_check(all, entry, err));
	if (mkdir(folder, 0777) != 0 && errno != EEXIST)
		return OMT_FAIL(err, IO, "%s: %s", folder, strerror(errno));
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		OMT_TRY(make_op(&from, op, err));
	if (entry->flow == OMT_FLOW_xrt)
		OMT_TRY(make_file(&from, "link", ".cfg", write_link, 0, 0, err));
	return make_file(&from, "build", ".sh", write_commands, 0, 0, err);
}
