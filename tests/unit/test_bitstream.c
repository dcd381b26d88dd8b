/* bitstreams/manifest.yaml: what it says, which entry is taken, what is refused and how. */
#include "exec/bitstream.h"
#include "tests/unit/scratch.h"

TestSuite(bitstream, .init = scratch_make, .fini = scratch_drop);

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define CONTRACT   STRING(OMT_CONTRACT_VERSION)
#define HEAD(name)                                                                \
	"  - name: " name "\n    card: u250\n    flow: xrt\n    target: sw_emu\n" \
	"    contract: " CONTRACT "\n    file: " name ".xclbin\n"
#define ENTRY HEAD("one") "    kernels: {gemm: }\n"

static omt_bitstreams parse(const char *text)
{
	omt_bitstreams all;
	omt_error err = {0};
	cr_assert_eq(omt_bitstreams_parse("m.yaml", text, strlen(text), &all, &err), OMT_OK, "%s",
	             err.text);
	return all;
}

Test(bitstream, an_entry_says_how_ops_run)
{
	omt_bitstreams all = parse("bitstreams:\n" HEAD(
		"one") "    platform: Xilinx\n    device: u250\n"
	               "    clock_mhz: 300\n"
	               "    timeout: {factor: 10.5, floor_ms: 7}\n"
	               "    kernels:\n"
	               "      gemm: {units: 2, names: [gemm_feed, gemm], bank: [0, 3],\n"
	               "             params: {pe: 8, depth: 64}}\n"
	               "      rmsnorm: {params: {width: 4}}\n");
	cr_assert_eq(all.count, 1);
	const omt_bitstream *entry = all.entries;
	cr_expect_str_eq(entry->name, "one");
	cr_expect_str_eq(entry->card, "u250");
	cr_expect_eq(entry->flow, OMT_FLOW_xrt);
	cr_expect_str_eq(entry->target, "sw_emu");
	cr_expect_str_eq(entry->file, "one.xclbin");
	cr_expect_str_eq(entry->digest, "");
	cr_expect_eq(entry->clock_mhz, 300.0);
	cr_expect_eq(entry->timeout_factor, 10.5);
	cr_expect_eq(entry->timeout_floor_ms, 7);
	const omt_bitstream_kernel *gemm = &entry->kernels[OMT_OP_gemm];
	cr_expect_eq(gemm->units, 2);
	cr_assert_eq(gemm->name_count, 2);
	cr_expect_str_eq(gemm->names[0], "gemm_feed");
	cr_assert_eq(gemm->bank_count, 2);
	cr_expect_eq(gemm->banks[1], 3);
	cr_expect_eq(gemm->params.pe, 8);
	cr_expect_eq(gemm->params.depth, 64);
	cr_expect_eq(gemm->params.width, 0);
	const omt_bitstream_kernel *rmsnorm = &entry->kernels[OMT_OP_rmsnorm];
	cr_expect_eq(rmsnorm->units, 1);
	cr_expect_str_eq(rmsnorm->names[0], "rmsnorm");
	cr_expect_eq(rmsnorm->bank_count, 1);
	cr_expect_eq(rmsnorm->banks[0], 0);
	cr_expect_eq(entry->kernels[OMT_OP_rotary].units, 0);
	omt_bitstreams_free(&all);
}

Test(bitstream, banks_of_all_kernels_and_of_one)
{
	omt_bitstreams all =
		parse("bitstreams:\n" HEAD("one") "    banks: 2-33\n    kernels: {gemm: , "
	                                          "rotary: {bank: [1]}}\n");
	const omt_bitstream_kernel *gemm = &all.entries[0].kernels[OMT_OP_gemm];
	cr_assert_eq(gemm->bank_count, 32);
	cr_expect_eq(gemm->banks[0], 2);
	cr_expect_eq(gemm->banks[31], 33);
	cr_expect_eq(gemm->units, 1);
	cr_expect_eq(all.entries[0].kernels[OMT_OP_rotary].bank_count, 1);
	cr_expect_eq(all.entries[0].kernels[OMT_OP_rotary].banks[0], 1);
	omt_bitstreams_free(&all);
}

Test(bitstream, refuses_with_file_and_line)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{"bitstream: []\n", "m.yaml:1: unknown key \"bitstream\""},
		{"bitstreams: 3\n", "m.yaml:1: \"bitstreams\" is an integer, expected an array"},
		{"bitstreams:\n" HEAD("one") "    banks: 3-2\n    kernels: {gemm: }\n",
	         "m.yaml:8: \"banks\" is \"3-2\", expected a range like 0-63"},
		{"bitstreams:\n" HEAD("one") "    banks: 0-64\n    kernels: {gemm: }\n",
	         "m.yaml:8: \"banks\" is \"0-64\", expected a range"},
		{"bitstreams:\n  - 3\n", "m.yaml:2: an entry that is not a mapping"},
		{"bitstreams:\n  - card: u250\n", "m.yaml:2: \"name\" is \"\""},
		{"bitstreams:\n" ENTRY "    colour: red\n",
	         "m.yaml:9: unknown key \"bitstreams[0].c"},
		{"bitstreams:\n" ENTRY ENTRY, "m.yaml:9: entry \"one\" for the second time"},
		{"bitstreams:\n" HEAD("../one"),
	         "m.yaml:2: \"name\" is \"../one\", expected letters"},
		{"bitstreams:\n  - {name: a, card: u250, file: a/b}\n",
	         "m.yaml:2: \"file\" is \"a/b\""},
		{"bitstreams:\n  - {name: a, card: u250, file: b}\n", "\"contract\" is missing"},
		{"bitstreams:\n  - {name: a, card: u250, file: b, contract: 1, flow: amd}\n",
	         "m.yaml:2: flow \"amd\", expected \"xrt\""},
		{"bitstreams:\n  - {name: a, card: u250, file: b, contract: 1, flow: intel,\n"
	         "     target: sw_emu}\n",
	         "m.yaml:3: target \"sw_emu\" is none of flow intel"},
		{"bitstreams:\n" HEAD("one"), "m.yaml:2: no kernels"},
		{"bitstreams:\n" HEAD("one") "    kernels: [gemm]\n",
	         "m.yaml:8: \"kernels\" is an arr"},
		{"bitstreams:\n" HEAD("one") "    kernels: {gemm: 2}\n",
	         "kernel \"gemm\" is not a map"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {units: 17}\n",
	         "m.yaml:9: \"units\" is 17, expected 1 to 16"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {params: {pe: 0}}\n",
	         "m.yaml:9: \"pe\" is 0, expected 1 to 65536"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {params: {rate: 1}}\n",
	         "m.yaml:9: unknown key \"bitstreams[0].kernels.gemm.params.rate\""},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {bank: [1, 0]}\n",
	         "m.yaml:9: \"bank\" does not ascend"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {bank: []}\n",
	         "m.yaml:9: \"bank\" is empty"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {bank: [64]}\n",
	         "m.yaml:9: \"bank\"[0] is not an integer of 0 to 63"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {names: []}\n",
	         "m.yaml:9: \"names\" is empty"},
		{"bitstreams:\n" HEAD("one") "    kernels:\n      gemm: {names: [a, 'b c']}\n",
	         "m.yaml:9: \"names\"[1] is no kernel's name"},
		{"bitstreams:\n" HEAD(
			 "one") "    kernels:\n      gemm:\n      rows: {names: [gemm]}\n",
	         "m.yaml:10: kernel \"gemm\" for the second time"},
		{"bitstreams:\n" HEAD("one") "    timeout: {factor: 0.5}\n", "\"factor\" is 0.5"},
		{"bitstreams:\n" HEAD("one") "    digest: 12345\n", "\"digest\" is an integer"},
		{"bitstreams:\n" HEAD("one") "    digest: abc\n",
	         "m.yaml:8: \"digest\" is not 64 hexad"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_bitstreams all;
		omt_error err = {0};
		cr_expect_neq(omt_bitstreams_parse("m.yaml", cases[i].yaml, strlen(cases[i].yaml),
		                                   &all, &err),
		              OMT_OK, "%s", cases[i].yaml);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].yaml,
		                   err.text);
	}
}

#define DIGEST "    digest: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n"
#define GEMM   "    kernels: {gemm: }\n"

Test(bitstream, the_first_built_entry_that_fits)
{
	omt_bitstreams all = parse("bitstreams:\n" HEAD("other") "    platform: Intel\n" DIGEST GEMM
	                                   HEAD("empty") "    device: U250\n" GEMM HEAD(
						   "built") "    device: u250\n" DIGEST GEMM);
	const omt_bitstream *entry;
	omt_error err = {0};
	cr_expect_eq(omt_bitstreams_find(&all, NULL, "Xilinx", "xilinx_u250", &entry, &err),
	             OMT_OK);
	cr_expect_str_eq(entry->name, "built");
	all.entries[2].digest[0] = '\0';
	cr_expect_eq(omt_bitstreams_find(&all, NULL, "Xilinx", "xilinx_u250", &entry, &err),
	             OMT_OK);
	cr_expect_str_eq(entry->name, "empty");
	cr_expect_eq(omt_bitstreams_find(&all, NULL, "Intel(R) FPGA", "a10", &entry, &err), OMT_OK);
	cr_expect_str_eq(entry->name, "other");
	cr_expect_eq(omt_bitstreams_find(&all, NULL, "Xilinx", "u280", &entry, &err),
	             OMT_UNSUPPORTED);
	cr_expect_str_eq(err.text, "m.yaml: no entry fits \"u280\" of platform \"Xilinx\"");
	cr_expect_eq(omt_bitstreams_find(&all, "built", "Xilinx", "u280", &entry, &err),
	             OMT_UNSUPPORTED);
	cr_expect_str_eq(err.text, "m.yaml:19: built: device \"u250\" is no part of \"u280\"");
	cr_expect_eq(omt_bitstreams_find(&all, "none", NULL, NULL, &entry, &err), OMT_UNSUPPORTED);
	cr_expect_str_eq(err.text, "m.yaml: no entry \"none\" among other empty built");
	omt_bitstreams_free(&all);
}

Test(bitstream, units_have_names)
{
	omt_bitstreams all = parse("bitstreams:\n" HEAD("one") "    kernels: {gemm: {units: 2}}\n");
	omt_bitstream *entry = all.entries;
	omt_bitstream_kernel *gemm = &entry->kernels[OMT_OP_gemm];
	char text[OMT_BITSTREAM_UNIT_TEXT];
	omt_bitstream_unit(entry, gemm, 0, 1, text);
	cr_expect_str_eq(text, "gemm:{gemm_2}");
	entry->flow = OMT_FLOW_intel;
	omt_bitstream_unit(entry, gemm, 0, 1, text);
	cr_expect_str_eq(text, "gemm_2");
	omt_bitstream_unit(entry, gemm, 0, 0, text);
	cr_expect_str_eq(text, "gemm");
	omt_bitstreams_free(&all);
}

/* What loading entry 0 of a manifest with this text says. */
static void load_says(const char *manifest, const char *error)
{
	omt_bitstreams all;
	omt_map map;
	omt_error err = {0};
	const char *path = scratch_text("manifest.yaml", manifest);
	cr_assert_eq(omt_bitstreams_load(path, &all, &err), OMT_OK, "%s", err.text);
	const omt_status status = omt_bitstream_load(&all, all.entries, &map, &err);
	cr_expect_eq(status == OMT_OK, !error, "%s", err.text);
	cr_expect(!error || strstr(err.text, error), "%s\nwanted %s", err.text, error);
	omt_map_close(&map);
	omt_bitstreams_free(&all);
}

Test(bitstream, what_does_not_fit_is_refused_by_name)
{
	scratch_text("one.xclbin", "hello\n");
	load_says("bitstreams:\n" HEAD("one") DIGEST GEMM, NULL);
	load_says("bitstreams:\n" HEAD("one") GEMM,
	          "manifest.yaml:2: one: one.xclbin is not built: make bitstreams CARD=one");
	load_says("bitstreams:\n" HEAD("gone") DIGEST GEMM, "manifest.yaml:2: gone: /tmp/");
	scratch_text("two.xclbin", "hello, world\n");
	load_says("bitstreams:\n" HEAD("two") DIGEST GEMM,
	          "manifest.yaml:2: two: two.xclbin has digest "
	          "853ff93762a06ddbf722c4ebe9ddd66d8f63ddaea97f521c3ecc20da7c976020"
	          ", the manifest says "
	          "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03: rebuild it");
	load_says(
		"bitstreams:\n  - {name: old, card: u250, flow: opencl, target: any, contract: 1,\n"
		"     file: one.xclbin, kernels: {gemv: }}\n",
		"manifest.yaml:2: old: one.xclbin is of contract 1, this omnitile has " CONTRACT
		": rebuild it with make bitstreams CARD=old");
	load_says("bitstreams:\n" HEAD("one") DIGEST "    kernels: {gemv: }\n",
	          "manifest.yaml:2: one: kernel \"gemv\" of one.xclbin is no op of contract"
	          " " CONTRACT);
}

/* What a manifest is after entry "b"'s digest was written: the file's text, until the next call. */
static const char *written(const char *manifest, omt_status expected)
{
	static char text[4096];
	static const char digest[] =
		"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
	omt_error err = {0};
	const char *path = scratch_text("manifest.yaml", manifest);
	cr_expect_eq(omt_bitstreams_set_digest(path, "b", digest, &err), expected, "%s", err.text);
	FILE *file = fopen(path, "rb");
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return text;
}

Test(bitstream, a_digest_is_written_and_the_rest_stays)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"    contract: 1\n    digest: \"\" # none\n", "    contract: " CONTRACT "\n"
	                                                       "    digest: \"#\" # none\n"},
		{"    contract: 1 # old\n    digest:\n", "    contract: " CONTRACT " # old\n"
	                                                 "    digest: \"#\"\n"},
		{"    digest:# x\n    contract: 1\n", NULL},
		{"    'contract' : 1\n    digest:   # x\n", "    'contract' : " CONTRACT "\n"
	                                                    "    digest:   \"#\" # x\n"},
		{"    {contract: 1}\n", NULL},
	};
	static const char first[] = "# kept\nbitstreams:\n" HEAD("a") DIGEST GEMM
		"  - # another\n    name: b\n    card: digest\n    flow: xrt\n    target: hw\n";
	static const char last[] = "    file: b.xclbin\n    kernels: {gemm: } # end";
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char before[2048], after[2048], middle[256];
		const char *mark = cases[i].after ? strchr(cases[i].after, '#') : NULL;
		snprintf(before, sizeof before, "%s%s%s", first, cases[i].before, last);
		if (cases[i].after) {
			mark = strstr(cases[i].after, "\"#\"") + 1;
			snprintf(middle, sizeof middle, "%.*s%s%s", (int)(mark - cases[i].after),
			         cases[i].after,
			         "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03",
			         mark + 1);
			snprintf(after, sizeof after, "%s%s%s", first, middle, last);
		}
		cr_expect_str_eq(written(before, cases[i].after ? OMT_OK : OMT_BAD_FORMAT),
		                 cases[i].after ? after : before);
	}
}

Test(bitstream, a_digest_is_added)
{
	static const char digest[] =
		"digest: \"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"";
	const char *text =
		written("bitstreams:\n  - file: f\n    name: b\n    card: c\n    flow: opencl\n"
	                "    target: any\n    contract: " CONTRACT "\n    kernels: {rows: }\n",
	                OMT_OK);
	cr_expect_not_null(strstr(text, "  - file: f\n    digest: \""), "%s", text);
	cr_expect_not_null(strstr(text, digest), "%s", text);
	text = written("bitstreams:\n  - {name: b, card: c, flow: opencl, target: any, file: f, "
	               "digest: '', contract: 1, kernels: {rows: }}",
	               OMT_OK);
	cr_expect_not_null(strstr(text, "file: f, digest: \"5891"), "%s", text);
	cr_expect_not_null(strstr(text, ", contract: " CONTRACT ", kernels: {rows: }}"), "%s",
	                   text);
	text = written("bitstreams:\n  - {name: b, card: c, flow: opencl, target: any, file: f, "
	               "contract: 1, kernels: {rows: }}",
	               OMT_OK);
	cr_expect_not_null(strstr(text, "file: f, digest: \"5891"), "%s", text);
	text = written("bitstreams:\n  - {name: b, card: c, flow: opencl, target: any, file: f, "
	               "contract: 1, kernels: {rows: }, digest:\n     ''}",
	               OMT_UNSUPPORTED);
	cr_expect_not_null(strstr(text, "contract: 1, "), "as it was: %s", text);
	written("bitstreams: []\n", OMT_UNSUPPORTED);
}
