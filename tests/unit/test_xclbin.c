/* The xclbin container: what is written can be read and verified, what is damaged is told. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "exec/xclbin.h"

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define CONTRACT   STRING(OMT_CONTRACT_VERSION)

static const char manifest[] =
	"bitstreams:\n"
	"  - {name: one, card: u250, flow: xrt, target: sw_emu, file: one.xclbin,\n"
	"     clock_mhz: 300, contract: " CONTRACT ",\n"
	"     kernels: {gemm: {units: 2, names: [gemm_feed, gemm], bank: [0, 2],\n"
	"                      params: {pe: 8, rows: 64}}, rmsnorm: }}\n";

static const omt_xclbin_bank banks[] = {
	{OMT_AXLF_MEM_DDR4, UINT64_C(1) << 34, "DDR[0]"},
	{OMT_AXLF_MEM_DDR4, UINT64_C(1) << 34, "DDR[1]"},
	{OMT_AXLF_MEM_DDR4, UINT64_C(1) << 34, "DDR[2]"},
};
#define BANKS (sizeof banks / sizeof *banks)

static const char binary[] = "not really a shared object";

static omt_bitstreams all;
static omt_bitstream *entry;
static uint8_t *data; /* of the exact size, so that a sanitizer sees a read beyond it */
static size_t bytes;

static void begin(void)
{
	omt_error err = {0};
	uint8_t *made;
	cr_assert_eq(omt_bitstreams_parse("m.yaml", manifest, strlen(manifest), &all, &err), OMT_OK,
	             "%s", err.text);
	entry = all.entries;
	cr_assert_eq(
		omt_xclbin_pack(entry, banks, BANKS, binary, sizeof binary, &made, &bytes, &err),
		OMT_OK, "%s", err.text);
	data = malloc(bytes);
	memcpy(data, made, bytes);
	free(made);
	cr_assert_eq(omt_digest_data(data, bytes, entry->digest, &err), OMT_OK);
}

static void end(void)
{
	free(data);
	omt_bitstreams_free(&all);
}

TestSuite(xclbin, .init = begin, .fini = end);

/* ---- verifying ---- */

static char failures[8192];

static void keep_failures(void *user, bool passed, const char *text)
{
	(void)user;
	if (!passed && strlen(failures) + strlen(text) + 2 < sizeof failures)
		strcat(strcat(failures, text), "\n");
}

/* What fails of a container; "": nothing. An error of the parser counts. */
static const char *fails(const uint8_t *file_data, size_t size, const omt_bitstream *of)
{
	omt_xclbin_checks checks = {.line = keep_failures};
	omt_xclbin file;
	omt_error err;
	failures[0] = '\0';
	if (omt_xclbin_parse("f", file_data, size, &file, &err) != OMT_OK)
		return strcpy(failures, err.text);
	omt_xclbin_verify(&file, of, &checks);
	omt_xclbin_free(&file);
	cr_expect_eq(checks.failed != 0, failures[0] != '\0');
	return failures;
}

Test(xclbin, what_is_written_verifies)
{
	cr_expect_str_eq(fails(data, bytes, entry), "");
	cr_expect_str_eq(fails(data, bytes, NULL), "");
}

Test(xclbin, the_same_parts_give_the_same_bytes)
{
	uint8_t *again, *other;
	size_t again_bytes, other_bytes;
	omt_error err = {0};
	cr_assert_eq(omt_xclbin_pack(entry, banks, BANKS, binary, sizeof binary, &again,
	                             &again_bytes, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(again_bytes, bytes);
	cr_expect_eq(memcmp(again, data, bytes), 0);
	cr_assert_eq(omt_xclbin_pack(entry, banks, BANKS, "another object, that is it!",
	                             sizeof binary, &other, &other_bytes, &err),
	             OMT_OK);
	cr_assert_eq(other_bytes, bytes);
	cr_expect_neq(memcmp(other + offsetof(omt_axlf_head, uuid),
	                     data + offsetof(omt_axlf_head, uuid), 16),
	              0);
	free(again);
	free(other);
}

/* ---- content ---- */

static const json_t *named(const json_t *list, const char *name)
{
	size_t i;
	json_t *object;
	json_array_foreach(list, i, object)
	{
		if (!strcmp(json_string_value(json_object_get(object, "name")), name))
			return object;
	}
	cr_assert_fail("no %s", name);
	return NULL;
}

static json_int_t number(const json_t *object, const char *key)
{
	cr_assert(json_is_integer(json_object_get(object, key)), "%s", key);
	return json_integer_value(json_object_get(object, key));
}

Test(xclbin, arguments_are_the_contracts)
{
	omt_xclbin file;
	json_t *design;
	omt_error err = {0};
	cr_assert_eq(omt_xclbin_parse("f", data, bytes, &file, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_xclbin_design(&file, &design, &err), OMT_OK, "%s", err.text);
	const json_t *kernels = json_object_get(design, "kernels");
	cr_expect_eq(json_array_size(kernels), 3);
	const json_t *gemm = named(kernels, "gemm");
	const json_t *args = json_object_get(gemm, "args");
	const omt_op_info *info = &omt_op_infos[OMT_OP_gemm];
	cr_assert_eq(json_array_size(args), (size_t)(info->buffers + info->scalars));
	/* Vitis: a pointer takes 12 bytes of registers, a scalar 8, from 0x10 on. */
	for (int32_t i = 0; i < info->buffers; i++) {
		const json_t *arg = named(args, info->buffer[i].name);
		cr_expect_eq(number(arg, "id"), i);
		cr_expect_eq(number(arg, "addressQualifier"), 1);
		cr_expect_eq(number(arg, "offset"), 0x10 + 12 * i);
		cr_expect_eq(number(arg, "hostSize"), 8);
		/* Operands have ports of their own, the rest shares one. */
		const char *name = info->buffer[i].name;
		cr_expect_str_eq(json_string_value(json_object_get(arg, "port")),
		                 !strcmp(name, "a")   ? "M_AXI_GMEM1"
		                 : !strcmp(name, "w") ? "M_AXI_GMEM2"
		                                      : "M_AXI_GMEM0");
	}
	/* S_AXI_CONTROL and the three. */
	cr_expect_eq(json_array_size(json_object_get(gemm, "ports")), 4u);
	for (int32_t i = 0; i < info->scalars; i++) {
		const json_t *arg = named(args, info->scalar[i].name);
		cr_expect_eq(number(arg, "id"), info->buffers + i);
		cr_expect_eq(number(arg, "addressQualifier"), 0);
		cr_expect_eq(number(arg, "offset"), 0x10 + 12 * info->buffers + 8 * i);
		cr_expect_eq(number(arg, "hostSize"), 4);
	}
	const json_t *units = json_object_get(gemm, "instances");
	cr_expect_eq(json_array_size(units), 2);
	cr_expect_eq(number(named(units, "gemm_2"), "base"), 0x1830000);
	cr_expect_eq(number(design, "clock_mhz"), 300);
	json_decref(design);
	omt_xclbin_free(&file);
}

Test(xclbin, units_reach_their_banks)
{
	omt_xclbin file;
	omt_axlf_ip ip;
	omt_axlf_bank bank;
	omt_error err = {0};
	size_t units, count, connections;
	cr_assert_eq(omt_xclbin_parse("f", data, bytes, &file, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_xclbin_entries(&file, OMT_AXLF_IP_LAYOUT, &units, &err), OMT_OK);
	cr_assert_eq(omt_xclbin_entries(&file, OMT_AXLF_MEM_TOPOLOGY, &count, &err), OMT_OK);
	cr_assert_eq(omt_xclbin_entries(&file, OMT_AXLF_CONNECTIVITY, &connections, &err), OMT_OK);
	cr_expect_eq(units, 5); /* gemm_feed and gemm twice, rmsnorm */
	cr_expect_eq(count, BANKS);
	const size_t gemm = (size_t)omt_op_infos[OMT_OP_gemm].buffers;
	cr_expect_eq(connections, 4 * 2 * gemm + (size_t)omt_op_infos[OMT_OP_rmsnorm].buffers);
	omt_xclbin_entry(&file, OMT_AXLF_IP_LAYOUT, 3, &ip);
	cr_expect_str_eq(ip.name, "gemm:gemm_2");
	cr_expect_eq(ip.base, 0x1830000);
	for (size_t i = 0; i < count; i++) {
		omt_xclbin_entry(&file, OMT_AXLF_MEM_TOPOLOGY, i, &bank);
		cr_expect_eq(bank.used, i != 1);
		cr_expect_eq(bank.kbytes, banks[i].bytes / 1024);
		cr_expect_eq(bank.base, i * banks[i].bytes);
		cr_expect_str_eq(bank.tag, banks[i].tag);
	}
	omt_xclbin_free(&file);
}

Test(xclbin, it_is_described)
{
	omt_xclbin file;
	omt_error err = {0};
	cr_assert_eq(omt_xclbin_parse("f", data, bytes, &file, &err), OMT_OK, "%s", err.text);
	json_t *all_of_it = omt_xclbin_describe(&file);
	const json_t *values = json_object_get(all_of_it, "values");
	cr_expect_eq(json_array_size(json_object_get(all_of_it, "errors")), 0);
	cr_expect_eq(json_array_size(json_object_get(all_of_it, "sections")), 10);
	cr_expect_eq(json_array_size(json_object_get(all_of_it, "units")), 5);
	cr_expect_str_eq(json_string_value(json_object_get(all_of_it, "mode")), "sw_emu");
	cr_expect_str_eq(json_string_value(json_object_get(values, "omnitile.kernel.gemm_feed")),
	                 "gemm units=2 pe=8 rows=64");
	cr_expect_str_eq(json_string_value(json_object_get(values, "omnitile.contract")), CONTRACT);
	json_decref(all_of_it);
	omt_xclbin_free(&file);
}

/* ---- refusals ---- */

Test(xclbin, what_cannot_be_packed_is_refused)
{
	uint8_t *made;
	size_t size;
	omt_error err = {0};
	cr_expect_eq(omt_xclbin_pack(entry, banks, 2, binary, sizeof binary, &made, &size, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "one: kernel gemm: bank 2, card u250 has 2");
	cr_expect_eq(omt_xclbin_pack(entry, banks, 3, binary, 0, &made, &size, &err),
	             OMT_BAD_ARGUMENT);
	entry->kernels[OMT_OP_rmsnorm].banks[0] = 1;
	cr_expect_eq(omt_xclbin_pack(entry, banks, 3, binary, 1, &made, &size, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_not_null(strstr(err.text, "rmsnorm does not reach bank 0"), "%s", err.text);
	strcpy(entry->target, "hw_emu");
	cr_expect_eq(omt_xclbin_pack(entry, banks, 3, binary, 1, &made, &size, &err), OMT_OK);
	free(made);
	entry->kernels[OMT_OP_gemm].units = 128;
	cr_expect_eq(omt_xclbin_pack(entry, banks, 3, binary, 1, &made, &size, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "one: 257 compute units, XRT has at most 128");
	entry->flow = OMT_FLOW_intel;
	cr_expect_eq(omt_xclbin_pack(entry, banks, 3, binary, 1, &made, &size, &err),
	             OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "one: flow intel has no xclbin");
}

Test(xclbin, cut_off_anywhere_it_is_refused)
{
	for (size_t cut = 0; cut < bytes; cut++) {
		uint8_t *part = malloc(cut + !cut);
		memcpy(part, data, cut);
		cr_expect_neq(*fails(part, cut, NULL), '\0', "%zu", cut);
		free(part);
	}
}

Test(xclbin, a_flipped_byte_is_told)
{
	const size_t table = sizeof(omt_axlf_head) + 10 * sizeof(omt_axlf_section);
	for (size_t at = 0; at < bytes; at += at < table ? 1 : 17) {
		data[at] ^= 0x11;
		cr_expect_neq(*fails(data, bytes, NULL), '\0', "%zu", at);
		data[at] ^= 0x11;
	}
}

/* Whether what is wrong after a change is told with this text; the change is undone. */
static void told(size_t at, const void *change, size_t size, const char *text)
{
	uint8_t before[16];
	memcpy(before, data + at, size);
	memcpy(data + at, change, size);
	cr_expect_not_null(strstr(fails(data, bytes, NULL), text), "wanted %s: %s", text, failures);
	memcpy(data + at, before, size);
}

static size_t content_of(omt_axlf_kind kind)
{
	omt_xclbin file;
	cr_assert_eq(omt_xclbin_parse("f", data, bytes, &file, NULL), OMT_OK);
	const size_t at = omt_xclbin_section(&file, kind)->offset;
	omt_xclbin_free(&file);
	return at;
}

Test(xclbin, what_breaks_the_format_is_told_with_its_place)
{
	const size_t first = sizeof(omt_axlf_head), second = first + sizeof(omt_axlf_section);
	const size_t offset = offsetof(omt_axlf_section, offset);
	const size_t size = offsetof(omt_axlf_section, bytes);
	const uint64_t far = bytes, huge = UINT64_MAX, table = first, none = 0;
	const uint32_t many = 0x10001, more = 4000, kind = OMT_AXLF_MEM_TOPOLOGY;
	const int32_t count = 1 << 30, negative = -1, high = 77, small = 12;
	const int16_t clocks = 77;
	told(0, "xclbin0", 8, "f: not an xclbin");
	told(offsetof(omt_axlf_head, length), &huge, 8, "truncated");
	told(offsetof(omt_axlf_head, length), &table, 8, "not a container");
	told(offsetof(omt_axlf_head, signature_bytes), &small, 4, "a signature of 12");
	told(offsetof(omt_axlf_head, sections), &many, 4, "f: 65537 sections, at most 65536");
	told(offsetof(omt_axlf_head, sections), &more, 4, "too few for 4000 sections");
	told(first + offset, &far, 8, "beyond the container's");
	told(first + offset, &huge, 8, "beyond the container's");
	told(first + size, &huge, 8, "beyond the container's");
	told(first + offset, &table, 8, "section of kind 0 lies at 456, what is before it ends at");
	told(first + size, &far, 8, "beyond the container's");
	told(second + offset, data + first + offset, 8, "what is before it ends at");
	told(second, &kind, 4, "section 2 is a second MEM_TOPOLOGY");
	told(second, &kind, 4, "no section EMBEDDED_METADATA");
	told(content_of(OMT_AXLF_MEM_TOPOLOGY), &count, 4, "too few for 1073741824 entries");
	told(content_of(OMT_AXLF_IP_LAYOUT), &negative, 4, "too few for -1 entries");
	told(content_of(OMT_AXLF_CLOCK_FREQ_TOPOLOGY), &clocks, 2, "too few for 77 entries");
	told(content_of(OMT_AXLF_CONNECTIVITY) + 4 + 8, &high, 4,
	     "CONNECTIVITY: entry 0 joins argument 0 of unit 0 to bank 77");
	told(content_of(OMT_AXLF_CONNECTIVITY) + 4 + 4, &negative, 4, "of unit -1 to bank 0");
	told(content_of(OMT_AXLF_IP_LAYOUT) + 8 + 8, &far, 8, "unit gemm_feed:gemm_feed_1 is not");
	told(content_of(OMT_AXLF_IP_LAYOUT) + 8 + 80 + 8,
	     data + content_of(OMT_AXLF_IP_LAYOUT) + 8 + 8, 8, "not in IP_LAYOUT at 0x1810000");
	told(content_of(OMT_AXLF_MEM_TOPOLOGY) + 8 + 80 + 16, &table, 8,
	     "2 banks of memory in use: empty, or one over another");
	told(content_of(OMT_AXLF_MEM_TOPOLOGY) + 8 + 8, &none, 8, "one over another");
	told(content_of(OMT_AXLF_CLOCK_FREQ_TOPOLOGY) + 2 + 136, &clocks, 2,
	     "77 MHz in CLOCK_FREQ_TOPOLOGY, 300 in the XML");
}

/* ---- XML ---- */

static const char *xml_fails(const char *text)
{
	static omt_error err;
	json_t *design;
	err.text[0] = '\0';
	if (omt_xclbin_xml_read("f", text, strlen(text), &design, &err) == OMT_OK)
		json_decref(design);
	return err.text;
}

#define CORE(text) "<project><platform><device><core>" text "</core></device></platform></project>"

Test(xclbin, xml_of_others_is_read_with_care)
{
	static const struct {
		const char *xml, *error;
	} cases[] = {
		{CORE("<kernel name='a'/>"), ""},
		{CORE("<unknown><deep/></unknown><kernel name='a' new='1'><arg/></kernel>"),
	         "f: EMBEDDED_METADATA:1: <arg> has no attribute \"name\""},
		{CORE("<kernel/>"), "<kernel> has no attribute \"name\""},
		{CORE("<kernel name='a'>"), "f: EMBEDDED_METADATA:1: not XML: "},
		{"", "f: EMBEDDED_METADATA has 0 bytes"},
		{"<project/>", "no project/platform/device/core"},
		{"<!DOCTYPE p [<!ENTITY a 'b'>]>" CORE("<kernel name='&a;'/>"), "a document type"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *error = xml_fails(cases[i].xml);
		cr_expect_not_null(strstr(error, cases[i].error), "%s: %s", cases[i].xml, error);
		cr_expect_eq(*error == '\0', *cases[i].error == '\0', "%s", error);
	}
}
