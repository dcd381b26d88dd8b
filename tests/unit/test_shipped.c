/* The entries of real cards in bitstreams/manifest.yaml, by the planner's own checks. */
#include "base/json.h"
#include "exec/bitstream_build.h"
#include "exec/card_choice.h"
#include "exec/device_entry.h"
#include "exec/opencl_card.h"
#include "tests/unit/tiny.h"

TestSuite(shipped, .init = tiny_open, .fini = tiny_close);

static omt_bitstreams shipped(void)
{
	omt_bitstreams all;
	cr_assert_eq(omt_bitstreams_load("bitstreams/manifest.yaml", &all, &err), OMT_OK, "%s",
	             err.text);
	return all;
}

/* All kernels together are within what can be used of the card; v++ takes their ports. */
static void expect_fits(const omt_bitstream *entry)
{
	omt_device_file file;
	bool there;
	omt_card_amount sum = {0};
	cr_assert_eq(omt_device_named(entry->card, &file, &there, &err), OMT_OK, "%s", err.text);
	cr_assert(there && file.is_card, "%s", entry->card);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *kernel = &entry->kernels[op];
		if (!kernel->units)
			continue;
		const omt_hls_params own = omt_hls_simulated(op);
		omt_hls_params params = kernel->params;
#define DEFAULT(name, macro) params.name = params.name ? params.name : own.name;
		OMT_HLS_PARAM_LIST(DEFAULT)
#undef DEFAULT
		const omt_card_amount one =
			omt_card_kernel_amount(&file.card, op, &params, OMT_CARD_NUMBERS);
		for (int r = 0; r < OMT_CARD_RESOURCES; r++)
			sum.of[r] += kernel->units * one.of[r];
	}
	const omt_card_amount usable = omt_card_usable(&file.card);
	cr_expect_gt(sum.of[OMT_CARD_lut], usable.of[OMT_CARD_lut] / 2, "%s: a half-empty card",
	             entry->name);
	for (int r = 0; r < OMT_CARD_RESOURCES; r++)
		cr_expect_leq(sum.of[r], usable.of[r], "%s: %s", entry->name,
		              omt_card_resource_names[r]);
	cr_expect_geq(entry->clock_mhz, file.card.low_mhz);
	cr_expect_leq(entry->clock_mhz, file.card.high_mhz);
	if (entry->flow == OMT_FLOW_xrt)
		cr_expect_eq(omt_bitstream_ports_check(entry, &err), OMT_OK, "%s", err.text);
}

/* The plan of the 4.7 B model on the entry's card, by its kind of numbers. */
static json_t *plan_of(const omt_model *real, const omt_bitstream *entry)
{
	omt_plan_options options = {.text_tokens = 512,
	                            .image_pixels = 448,
	                            .video_frames = 8,
	                            .audio_seconds = 10,
	                            .items = 1,
	                            .card.entry = entry->name};
	char *text;
	json_t *plan;
	omt_engine_options_init(&options.engine);
	options.engine.device = entry->card;
	options.engine.max_tokens = 4096; /* buffers of a pseudo-channel of HBM */
	options.engine.cache = "none";
	options.engine.weights = entry->kernels[OMT_OP_gemm_i8].units ? "int8" : "stored";
	cr_assert_eq(omt_plan(real, &options, &text, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_json_parse("plan", text, strlen(text), &plan, &err), OMT_OK);
	omt_free(text);
	return plan;
}

/* Every op of the model is there; what the command beside the entries prints is of the same form,
 * and as good as they are. */
static void expect_whole(const omt_model *real, const omt_bitstream *entry)
{
	json_t *plan = plan_of(real, entry);
	const json_t *ops = json_object_get(plan, "ops"), *line;
	char manifest[1 << 13];
	size_t i;
	cr_expect(json_is_true(json_object_get(plan, "fits")), "%s: memory", entry->name);
	json_array_foreach(ops, i, line)
	{
		const char *name = json_string_value(json_object_get(line, "op"));
		omt_op op = 0;
		while (strcmp(omt_op_infos[op].name, name))
			op++;
		cr_expect_geq(entry->kernels[op].units, 1, "%s: %s", entry->name, name);
	}
	cr_expect_geq(entry->kernels[OMT_OP_pack].units, 1, "%s", entry->name);
	const int length = snprintf(manifest, sizeof manifest, "bitstreams:\n%s",
	                            json_string_value(json_object_get(plan, "entry")));
	omt_bitstreams printed;
	cr_assert_eq(omt_bitstreams_parse("printed", manifest, (size_t)length, &printed, &err),
	             OMT_OK, "%s", err.text);
	const omt_bitstream *again = &printed.entries[0];
	expect_fits(again);
	cr_expect_eq(again->flow, entry->flow);
	cr_expect_str_eq(again->file, entry->file);
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_bitstream_kernel *a = &again->kernels[op], *b = &entry->kernels[op];
		cr_expect_eq(a->units, b->units, "%s", omt_op_infos[op].name);
		cr_expect_eq(a->name_count, b->name_count, "%s", omt_op_infos[op].name);
		cr_expect_eq(a->bank_count, b->bank_count, "%s", omt_op_infos[op].name);
	}
	omt_bitstreams_free(&printed);
	json_decref(plan);
}

Test(shipped, entries_of_cards_fit_them_and_have_all_of_the_model)
{
	omt_bitstreams all = shipped();
	omt_model *real;
	int32_t cards = 0;
	cr_assert_eq(omt_model_open_like(DATA "tiny", "omni-embed-nemotron-3b", &real, &err),
	             OMT_OK, "%s", err.text);
	for (size_t i = 0; i < all.count; i++) {
		const omt_bitstream *entry = &all.entries[i];
		if (strcmp(entry->target, "hw"))
			continue;
		cards++;
		cr_expect_eq(omt_bitstream_check(&all, entry, &err), OMT_OK, "%s", err.text);
		expect_fits(entry);
		expect_whole(real, entry);
	}
	cr_expect_geq(cards, 4);
	omt_model_close(real);
	omt_bitstreams_free(&all);
}

/* int8's ops are more than a bank of v++'s takes; an entry is of a card. */
Test(shipped, entries_that_cannot_be_are_told)
{
	static const struct {
		const char *device, *weights, *entry, *error;
	} cases[] = {
		{"u55c", "int8", "x", "x: 18 ports of kernels on bank 0, v++ takes 15"},
		{"u55c", "stored", "a b", "\"a b\", expected letters"},
		{NULL, "stored", "x", "no FPGA card"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_plan_options options = {
			.text_tokens = 5, .image_pixels = 112, .audio_seconds = 1, .items = 1};
		char *text;
		omt_engine_options_init(&options.engine);
		options.engine.device = cases[i].device;
		options.engine.backend = cases[i].device ? NULL : "ref";
		options.engine.weights = cases[i].weights;
		options.engine.cache = "none";
		options.card.entry = cases[i].entry;
		cr_expect_neq(omt_plan(model, &options, &text, &err), OMT_OK);
		cr_expect(strstr(err.text, cases[i].error), "%s", err.text);
	}
}

/* A buffer lies in one bank: a card's driver may say more. */
Test(shipped, a_buffer_is_no_larger_than_a_bank)
{
	static const struct {
		const char *card;
		omt_flow flow;
		int32_t first, count;
		uint64_t most;
	} cases[] = {
		{"u55c", OMT_FLOW_xrt, 0, 32, 512u << 20},
		{"u280", OMT_FLOW_xrt, 31, 2, 256u << 20}, /* the last of HBM, the first of DDR */
		{"u280", OMT_FLOW_xrt, 32, 2, 16ull << 30},
		{"stratix10mx", OMT_FLOW_intel, 0, 1, UINT64_MAX},
		{"stratix10mx", OMT_FLOW_intel, 0, 2, 256u << 20},
		{"no-such-card", OMT_FLOW_xrt, 0, 1, UINT64_MAX},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_cl_card *card = calloc(1, sizeof *card);
		cr_assert_not_null(card);
		snprintf(card->entry.card, sizeof card->entry.card, "%s", cases[i].card);
		card->entry.flow = cases[i].flow;
		card->bank_count = cases[i].count;
		for (int32_t b = 0; b < cases[i].count; b++)
			card->banks[b].number = cases[i].first + b;
		cr_expect_eq(omt_cl_card_most_bytes(card), cases[i].most, "%s", cases[i].card);
		free(card);
	}
}
