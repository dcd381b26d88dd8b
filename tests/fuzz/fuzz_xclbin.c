/* A container: read, described, verified against an entry. Its lengths are set right, or little
 * behind them would be reached. */
#include <string.h>

#include "exec/xclbin.h"
#include "tests/fuzz/input.h"

static void ignore(void *user, bool passed, const char *text)
{
	(void)user;
	(void)passed;
	(void)text;
}

static const omt_bitstream *entry(void)
{
	static const char manifest[] =
		"bitstreams:\n  - {name: a, card: u250, flow: xrt, target: sw_emu, file: f,\n"
		"     clock_mhz: 300, contract: 1, kernels: {gemm: {units: 2, bank: [0, 1]}}}\n";
	static omt_bitstreams all;
	if (!all.count &&
	    omt_bitstreams_parse("m", manifest, sizeof manifest - 1, &all, NULL) != OMT_OK)
		abort();
	return all.entries;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	omt_xclbin_checks checks = {.line = ignore};
	omt_xclbin file;
	omt_axlf_head head;
	uint8_t *copy = malloc(size + !size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	if (size >= sizeof head) {
		memcpy(&head, data, sizeof head);
		memcpy(head.magic, OMT_AXLF_MAGIC, sizeof head.magic);
		head.signature_bytes = -1;
		head.length = size;
		memcpy(copy, &head, sizeof head);
	}
	if (omt_xclbin_parse("f", copy, size, &file, NULL) == OMT_OK) {
		json_decref(omt_xclbin_describe(&file));
		omt_xclbin_verify(&file, NULL, &checks);
		omt_xclbin_verify(&file, entry(), &checks);
		omt_xclbin_free(&file);
	}
	free(copy);
	return 0;
}
