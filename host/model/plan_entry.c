/* An entry of bitstreams/manifest.yaml out of a plan, ready to paste. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec/bitstream_build.h"
#include "exec/opencl_tiles.h"
#include "model/plan.h"

/* What cards of a flow are called, and what their tools make. */
typedef struct maker {
	const char *part; /* their parts begin so */
	omt_flow flow;
	const char *platform, *ending;
	bool named; /* the driver's name of a card has ours in it */
	bool apart; /* gemms are three kernels joined by channels */
	bool woven; /* the tools make one memory of all channels */
} maker;

static const maker makers[] = {
	{"xc", OMT_FLOW_xrt, "Xilinx", "xclbin", true, false, false},
	{"", OMT_FLOW_intel, "Intel(R) FPGA SDK", "aocx", false, true, true},
};

static const maker *maker_of(const omt_card *card)
{
	const maker *m = makers;
	while (strncmp(card->part, m->part, strlen(m->part)))
		m++;
	return m;
}

/* Parameters that the kernel's source has, or that were chosen for it. */
static void write_params(FILE *to, omt_op op, const omt_hls_params *params)
{
	const omt_hls_params own = omt_hls_simulated(op);
	const char *before = "params: {";
#define PARAM(name, macro)                                             \
	if (params->name > 1 || (params->name == 1 && own.name > 1)) { \
		fprintf(to, "%s" #name ": %d", before, params->name);  \
		before = ", ";                                         \
	}
	OMT_HLS_PARAM_LIST(PARAM)
#undef PARAM
	if (*before == ',')
		fputc('}', to);
}

static void write_kernel(FILE *to, const maker *m, omt_op op, const omt_hls_params *params)
{
	const char *name = omt_op_infos[op].name;
	if (m->apart && OMT_CL_FOR_GEMMS >> op & 1) {
		fprintf(to, "      %s:\n        names: [%s_feed, %s, %s_drain]\n        ", name,
		        name, name, name);
		write_params(to, op, params);
	} else {
		fprintf(to, "      %s: {", name);
		write_params(to, op, params);
		fputc('}', to);
	}
	fputc('\n', to);
}

static void write_entry(FILE *to, const char *name, const char *card_name, const omt_card *card,
                        const omt_card_use *use, const omt_card_kernel kernels[OMT_OP_COUNT])
{
	const maker *m = maker_of(card);
	int32_t bank = 0; /* HBM's before DDR's */
	for (omt_card_memory_kind kind = 0; kind < use->memory; kind++)
		bank += card->memory[kind].count;
	fprintf(to, "  - name: %s\n    card: %s\n    flow: %s\n    target: hw\n", name, card_name,
	        omt_flow_infos[m->flow].name);
	fprintf(to, "    platform: %s\n", m->platform);
	if (m->named)
		fprintf(to, "    device: %s\n", card_name);
	fprintf(to, "    contract: %d\n    file: %s.%s\n    digest: \"\"\n    clock_mhz: %g\n",
	        OMT_CONTRACT_VERSION, name, m->ending, use->clock_mhz);
	const int32_t count = m->woven ? 1 : card->memory[use->memory].count;
	bank = m->woven ? 0 : bank;
	fprintf(to, "    banks: %d-%d\n", bank, bank + count - 1);
	fputs("    timeout: {factor: 20, floor_ms: 2000}\n    kernels:\n", to);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++)
		if (kernels[op].used)
			write_kernel(to, m, op, &kernels[op].params);
}

/* The text read again as a manifest, and what the card's tools say to it. */
static omt_status check_entry(const char *text, const maker *m, omt_error *err)
{
	static const char top[] = "bitstreams:\n";
	const size_t bytes = strlen(text) + sizeof top - 1;
	omt_bitstreams all;
	char *manifest = malloc(bytes + 1);
	if (!manifest)
		return OMT_FAIL(err, NO_MEMORY, "an entry");
	snprintf(manifest, bytes + 1, "%s%s", top, text);
	omt_status status = omt_bitstreams_parse("entry", manifest, bytes, &all, err);
	if (status == OMT_OK && m->flow == OMT_FLOW_xrt)
		status = omt_bitstream_ports_check(&all.entries[0], err);
	omt_bitstreams_free(&all);
	free(manifest);
	return status;
}

omt_status omt_plan_entry(const char *name, const char *card_file, const omt_card *card,
                          const omt_card_use *use, const omt_card_kernel kernels[OMT_OP_COUNT],
                          char **text, omt_error *err)
{
	const char *slash = strrchr(card_file, '/');
	char card_name[64];
	size_t bytes;
	snprintf(card_name, sizeof card_name, "%s", slash ? slash + 1 : card_file);
	char *ending = strstr(card_name, ".yaml");
	if (ending)
		*ending = 0;
	*text = NULL;
	FILE *to = open_memstream(text, &bytes);
	if (!to)
		return OMT_FAIL(err, NO_MEMORY, "an entry");
	write_entry(to, name, card_name, card, use, kernels);
	omt_status status = fclose(to) == 0 ? check_entry(*text, maker_of(card), err)
	                                    : OMT_FAIL(err, NO_MEMORY, "an entry");
	if (status != OMT_OK) {
		free(*text);
		*text = NULL;
	}
	return status;
}
