/* Kernels on a card: what they take, what is chosen, what is predicted. */
#include <math.h>

#include "base/json.h"
#include "exec/card_choice.h"
#include "exec/device_entry.h"
#include "model/engine.h"
#include "model/plan.h"
#include "tests/unit/tiny.h"

TestSuite(card_plan, .init = tiny_open, .fini = tiny_close);

static const char *const cards[] = {"vcu1525", "u250",        "u280",   "u55c",
                                    "vck190",  "stratix10mx", "agilex7"};
#define CARDS (sizeof cards / sizeof *cards)

static omt_card card_named(const char *name)
{
	omt_device_file file;
	bool there;
	cr_assert_eq(omt_device_named(name, &file, &there, &err), OMT_OK, "%s", err.text);
	cr_assert(there && file.is_card);
	return file.card;
}

/* The launches of a layer and its ends, of a size. */
typedef struct layer {
	omt_rmsnorm_args norm;
	omt_gemm_args gemm;
	omt_rotary_args rotary;
	omt_l2norm_args l2norm;
	omt_card_launch launches[4];
} layer;

static void make_layer(layer *l, int32_t rows, int32_t hidden)
{
	*l = (layer){
		.norm = {.rows = rows, .cols = hidden, .ldx = hidden, .ldo = hidden, .eps = 1e-6f},
		.gemm = {.m = rows,
	                 .n = 4 * hidden,
	                 .k = hidden,
	                 .lda = hidden,
	                 .ldw = hidden,
	                 .ldc = 4 * hidden,
	                 .w_dtype = OMT_BF16,
	                 .w_panel = 32},
		.rotary = {.rows = rows, .heads = 16, .head_dim = 128, .ldx = 2048},
		.l2norm = {.rows = 1, .cols = hidden, .ldx = hidden, .ldo = hidden},
	};
	const omt_card_launch launches[] = {{OMT_OP_rmsnorm, &l->norm, NULL, 2},
	                                    {OMT_OP_gemm, &l->gemm, NULL, 7},
	                                    {OMT_OP_rotary, &l->rotary, NULL, 1},
	                                    {OMT_OP_l2norm, &l->l2norm, NULL, 1}};
	memcpy(l->launches, launches, sizeof launches);
}

static omt_card_use usual(const omt_card *card)
{
	return (omt_card_use){.clock_mhz = card->usual_mhz, .memory = omt_card_memory_for(card, 1)};
}

static void choose(const omt_card *card, const layer *l, const omt_hls_params *fixed,
                   omt_card_kernel kernels[OMT_OP_COUNT])
{
	const omt_card_use use = usual(card);
	cr_assert_eq(omt_card_choose(card, &use, l->launches, 4, fixed, kernels, &err), OMT_OK,
	             "%s: %s", card->part, err.text);
}

Test(card_plan, kernels_together_fit_every_card)
{
	for (size_t i = 0; i < CARDS; i++) {
		const omt_card card = card_named(cards[i]);
		const omt_card_amount usable = omt_card_usable(&card);
		for (int32_t hidden = 64; hidden <= 4096; hidden *= 8) {
			layer l;
			omt_card_kernel kernels[OMT_OP_COUNT];
			make_layer(&l, 300, hidden);
			choose(&card, &l, &(omt_hls_params){0}, kernels);
			const omt_card_amount sum = omt_card_sum(kernels);
			for (int r = 0; r < OMT_CARD_RESOURCES; r++)
				cr_expect_leq(sum.of[r], usable.of[r], "%s: %s", cards[i],
				              omt_card_resource_names[r]);
			cr_expect(kernels[OMT_OP_rmsnorm].used && kernels[OMT_OP_l2norm].used);
			cr_expect_geq(kernels[OMT_OP_rmsnorm].params.cols, hidden);
		}
	}
}

/* No kernel multiplies faster than all DSP slices, nor moves more than the memory gives. */
Test(card_plan, the_roofline_is_never_beaten)
{
	for (size_t i = 0; i < CARDS; i++) {
		const omt_card card = card_named(cards[i]);
		const omt_card_use use = usual(&card);
		const double peak = omt_card_peak_gops(&card, OMT_CARD_f32, use.clock_mhz);
		const double gbs = omt_card_memory_gbs(&card, use.memory) * card.memory_efficiency;
		for (int32_t rows = 1; rows <= 4096; rows *= 8) {
			layer l;
			omt_card_kernel kernels[OMT_OP_COUNT];
			make_layer(&l, rows, 2048);
			choose(&card, &l, &(omt_hls_params){0}, kernels);
			for (size_t j = 0; j < 4; j++) {
				const omt_card_launch *launch = &l.launches[j];
				const omt_card_kernel *kernel = &kernels[launch->op];
				if (!kernel->used)
					continue;
				const omt_op_cost work = omt_op_cost_of(launch->op, launch->args);
				const omt_card_cost cost =
					omt_card_cost_of(&card, &use, launch->op, launch->args,
				                         NULL, &kernel->params, &kernel->amount);
				const double bytes = (double)cost.hls.read_bytes +
				                     (double)cost.hls.written_bytes;
				cr_expect_gt(cost.seconds, bytes / gbs * 1e-9, "%s: %s", cards[i],
				             omt_op_infos[launch->op].name);
				cr_expect_gt(cost.joules, card.idle_w * cost.seconds);
				if (launch->op == OMT_OP_gemm)
					cr_expect_gt(cost.seconds, work.flops / peak * 1e-9,
					             "%s: %g GOp/s of %g", cards[i],
					             work.flops / cost.seconds * 1e-9, peak);
			}
		}
	}
}

/* More of a card is never slower; a higher clock neither; more rows take longer. */
Test(card_plan, predictions_are_monotone)
{
	const omt_card whole = card_named("u55c");
	double before = 0;
	for (int share = 1; share <= 8; share++) {
		omt_card part = whole;
		omt_card_kernel kernels[OMT_OP_COUNT];
		double seconds = 0;
		layer l;
		for (int r = 0; r < OMT_CARD_RESOURCES; r++)
			part.fill.of[r] = whole.fill.of[r] * share / 8;
		make_layer(&l, 512, 2048);
		choose(&part, &l, &(omt_hls_params){0}, kernels);
		for (omt_op op = 0; op < OMT_OP_COUNT; op++)
			seconds += kernels[op].seconds;
		if (before > 0)
			cr_expect_leq(seconds, before, "%d eighths", share);
		before = seconds;
	}
	omt_card_use use = usual(&whole);
	const omt_hls_params params = {1, 8, 1, 4096, 1};
	const omt_card_amount amount =
		omt_card_kernel_amount(&whole, OMT_OP_rmsnorm, &params, OMT_CARD_f32);
	before = 0;
	for (int32_t rows = 1; rows < 5000; rows += 7 * rows) {
		layer l;
		make_layer(&l, rows, 2048);
		use.clock_mhz = whole.usual_mhz;
		const double slow = omt_card_cost_of(&whole, &use, OMT_OP_rmsnorm, &l.norm, NULL,
		                                     &params, &amount)
		                            .seconds;
		use.clock_mhz = whole.high_mhz;
		const double fast = omt_card_cost_of(&whole, &use, OMT_OP_rmsnorm, &l.norm, NULL,
		                                     &params, &amount)
		                            .seconds;
		cr_expect_gt(slow, fast);
		cr_expect_gt(slow, before);
		before = slow;
	}
}

/* ---- FPGA'20 ---- */

/* What README of spcl/gemm_hls publishes for the VCU1525, as GFLOP/s of products of large matrices.
 * It does not say which parameters gave them: here they are the planner's own, under the card's DSP
 * slices, memories and its usual clock, for our kernel with as much as that one needs (no bias, no
 * activation). */
Test(card_plan, published_figures_of_gemm_hls_are_met_within_15_percent)
{
	static const struct {
		omt_card_number number;
		double gflops;
	} published[] = {{OMT_CARD_f16, 462}, {OMT_CARD_f32, 301}, {OMT_CARD_f64, 132}};
	const omt_card card = card_named("vcu1525");
	const omt_gemm_args square = {.m = 8192,
	                              .n = 8192,
	                              .k = 8192,
	                              .lda = 8192,
	                              .ldw = 8192,
	                              .ldc = 8192,
	                              .w_dtype = OMT_F32,
	                              .w_panel = 32};
	const omt_card_launch launch = {OMT_OP_gemm, &square, NULL, 1};
	for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
		const omt_card_number number = published[i].number;
		omt_card_use use = usual(&card);
		omt_card_kernel kernels[OMT_OP_COUNT];
		use.number = &number;
		cr_assert_eq(omt_card_choose(&card, &use, &launch, 1, &(omt_hls_params){0}, kernels,
		                             &err),
		             OMT_OK, "%s", err.text);
		const omt_hls_params *p = &kernels[OMT_OP_gemm].params;
		const double gflops = 2e-9 * pow(8192, 3) / kernels[OMT_OP_gemm].seconds;
		/* The formula of its README is the limit that drain and edges stay below. */
		const double most = 2e-3 * p->pe * p->width * use.clock_mhz;
		cr_expect_leq(gflops, most);
		cr_expect_geq(gflops, 0.9 * most, "%g of %g", gflops, most);
		cr_expect_leq(p->width * omt_card_number_infos[number].bytes, 64);
		cr_expect_float_eq(
			gflops, published[i].gflops, 0.15 * published[i].gflops,
			"%s: %.1f GFLOP/s by pe %d width %d rows %d cols %d, published %g",
			omt_card_number_infos[number].name, gflops, p->pe, p->width, p->rows,
			p->cols, published[i].gflops);
		cr_log_info("%s: %.1f GFLOP/s by pe %d width %d rows %d cols %d, published %g",
		            omt_card_number_infos[number].name, gflops, p->pe, p->width, p->rows,
		            p->cols, published[i].gflops);
	}
}

/* Elements that come to the chip: m k for each column of tiles, n k for each row of them (FPGA'20,
 * equation 6: 2 m n k / sqrt(S) of square tiles that fill S words), and all of C goes back once. */
Test(card_plan, traffic_is_that_of_tiles_that_stay_on_the_chip)
{
	const omt_gemm_args square = {.m = 1024,
	                              .n = 2048,
	                              .k = 512,
	                              .lda = 512,
	                              .ldw = 512,
	                              .ldc = 2048,
	                              .w_dtype = OMT_F32,
	                              .w_panel = 32};
	uint64_t before = UINT64_MAX;
	for (int32_t side = 64; side <= 1024; side *= 2) {
		const omt_hls_params params = {16, 8, side, side, 64};
		const omt_hls_cost cost = omt_hls_cost_of(OMT_OP_gemm, &square, &params, NULL);
		const uint64_t m = 1024, n = 2048, k = 512, edge = (uint64_t)side;
		cr_expect_eq(cost.read_bytes, 4 * m * n * k * 2 / edge);
		cr_expect_eq(cost.written_bytes, 4 * m * n);
		cr_expect_lt(cost.read_bytes, before);
		before = cost.read_bytes;
	}
}

/* A wider vector takes as many more multipliers. */
Test(card_plan, resources_follow_the_parameters)
{
	const omt_card card = card_named("u250");
	omt_card_amount before = {0};
	int32_t multipliers = 0;
	for (int32_t width = 1; width <= 32; width *= 2) {
		const omt_hls_params params = {1, width, 1, 8192, 1};
		const omt_card_amount amount =
			omt_card_kernel_amount(&card, OMT_OP_l2norm, &params, OMT_CARD_NUMBERS);
		const int32_t now = omt_hls_multipliers_of(OMT_OP_l2norm, &params);
		if (width > 1)
			cr_expect_eq(amount.of[OMT_CARD_dsp] - before.of[OMT_CARD_dsp],
			             card.multiply_add[OMT_CARD_f32].of[OMT_CARD_dsp] *
			                     (now - multipliers));
		before = amount;
		multipliers = now;
	}
	/* 8,192 words of 32 bits in one bank: 16 halves of a block of 512 x 36, or two of URAM. */
	const omt_hls_params narrow = {1, 1, 1, 8192, 1};
	omt_hls_array arrays[OMT_HLS_ARRAYS];
	cr_assert_geq(omt_hls_arrays_of(OMT_OP_l2norm, &narrow, arrays), 1);
	cr_assert_eq(arrays[0].words * (uint64_t)arrays[0].banks, 8192u);
	omt_card plain = card;
	plain.total.of[OMT_CARD_uram] = plain.shell.of[OMT_CARD_uram] = 0;
	plain.port = plain.control = plain.function = (omt_card_amount){0};
	const omt_card_amount blocks =
		omt_card_kernel_amount(&plain, OMT_OP_l2norm, &narrow, OMT_CARD_f32);
	cr_expect_eq(blocks.of[OMT_CARD_uram], 0);
	cr_expect_geq(blocks.of[OMT_CARD_bram], 8);
}

/* A tile takes as many steps as its kind of additions needs, and no more are asked for: 16 of f32,
 * 4 of int32; words of W hold 4 elements of int8, 2 of bf16. */
Test(card_plan, given_parameters_are_those_of_the_source)
{
	static const struct {
		omt_op op;
		omt_hls_params params;
		bool allowed;
	} cases[] = {
		{OMT_OP_gemm_i8, {16, 32, 16, 128, 64}, true},
		{OMT_OP_gemm_i8, {16, 32, 16, 64, 64}, false},
		{OMT_OP_gemm_i8, {1, 3, 4, 48, 6}, false},
		{OMT_OP_gemm, {16, 8, 16, 128, 64}, true},
		{OMT_OP_gemm, {16, 8, 16, 64, 64}, false},
		{OMT_OP_gemm, {1, 3, 4, 48, 3}, true},
		{OMT_OP_gemm_bf16, {16, 8, 16, 128, 64}, true},
		{OMT_OP_gemm_bf16, {1, 3, 4, 48, 3}, false},
	};
	const omt_card card = card_named("u250");
	const omt_card_use use = usual(&card);
	const omt_gemm_args f32 = {.m = 40, .n = 64, .k = 64, .w_dtype = OMT_BF16, .w_panel = 32};
	const omt_gemm_i8_args i8 = {.m = 40, .n = 64, .k = 64, .w_panel = 32};
	const omt_gemm_bf16_args bf16 = {.m = 40, .n = 64, .k = 64, .w_panel = 32};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const omt_op op = cases[i].op;
		const void *args = op == OMT_OP_gemm      ? (const void *)&f32
		                   : op == OMT_OP_gemm_i8 ? (const void *)&i8
		                                          : (const void *)&bf16;
		const omt_card_launch launch = {op, args, NULL, 1};
		omt_card_kernel kernels[OMT_OP_COUNT];
		const omt_status status =
			omt_card_choose(&card, &use, &launch, 1, &cases[i].params, kernels, &err);
		cr_expect_eq(status, cases[i].allowed ? OMT_OK : OMT_BAD_ARGUMENT, "%zu: %s", i,
		             cases[i].allowed ? err.text : "chosen");
		cr_expect(cases[i].allowed || strstr(err.text, "pe"), "%s", err.text);
	}
}

/* Whatever is asked of a gemm, its busiest buffer comes through one port and one channel. */
Test(card_plan, a_buffer_has_one_channel)
{
	for (size_t i = 0; i < CARDS; i++) {
		const omt_card card = card_named(cards[i]);
		const omt_card_use use = usual(&card);
		const omt_card_memory *memory = &card.memory[use.memory];
		const double gbs = fmin(memory->gbs * card.memory_efficiency,
		                        memory->bits / 8.0 * use.clock_mhz * 1e-3);
		const omt_hls_params wide = {16, 16, 16, 512, 64};
		const omt_gemm_args query = {.m = 16,
		                             .n = 8192,
		                             .k = 2048,
		                             .lda = 2048,
		                             .ldw = 2048,
		                             .ldc = 8192,
		                             .w_dtype = OMT_F32,
		                             .w_panel = 32};
		const omt_card_amount amount =
			omt_card_kernel_amount(&card, OMT_OP_gemm, &wide, OMT_CARD_NUMBERS);
		const omt_card_cost cost =
			omt_card_cost_of(&card, &use, OMT_OP_gemm, &query, NULL, &wide, &amount);
		cr_expect_eq(cost.hls.port_bytes, 4u * 8192 * 2048); /* W, once */
		cr_expect_geq(cost.seconds, 4.0 * 8192 * 2048 / gbs * 1e-9, "%s", cards[i]);
	}
	/* In place: both ways through one. */
	const omt_rotary_args turned = {.rows = 7, .heads = 3, .head_dim = 16, .ldx = 48};
	const omt_hls_params narrow = {1, 8, 1, 64, 1};
	cr_expect_eq(omt_hls_cost_of(OMT_OP_rotary, &turned, &narrow, NULL).port_bytes,
	             2u * 4 * 7 * 48);
	/* Queries, keys and values come through one. Keys come again for every two queries. */
	const omt_attention_args few = {
		.sequences = 1, .max_len = 4, .heads = 2, .kv_heads = 2, .head_dim = 16};
	const omt_hls_params block = {2, 8, 2, 16, 16};
	const omt_hls_cost through = omt_hls_cost_of(OMT_OP_attention, &few, &block, NULL);
	cr_expect_eq(through.port_bytes, through.read_bytes);
	cr_expect_gt(through.read_bytes, 3 * through.written_bytes);
}

/* A bundle of buffers is one port of the card; bundles are numbered without a gap. */
Test(card_plan, ports_are_counted_by_bundle)
{
	const omt_card card = card_named("u250");
	omt_card apart = card;
	apart.port = (omt_card_amount){0};
	for (omt_op op = 0; op < OMT_OP_COUNT; op++) {
		const omt_op_info *info = &omt_op_infos[op];
		const omt_hls_params params = omt_hls_simulated(op);
		int32_t most = 0, buffers[HLS_BUNDLES] = {0};
		for (int32_t i = 0; i < info->buffers; i++) {
			cr_assert_lt(info->buffer[i].bundle, HLS_BUNDLES);
			buffers[info->buffer[i].bundle]++;
			most = info->buffer[i].bundle > most ? info->buffer[i].bundle : most;
		}
		cr_expect_eq(info->ports, most + 1, "%s", info->name);
		for (int32_t i = 0; i < info->ports; i++)
			cr_expect_geq(buffers[i], 1, "%s", info->name);
		const omt_card_amount with =
			omt_card_kernel_amount(&card, op, &params, OMT_CARD_NUMBERS);
		const omt_card_amount without =
			omt_card_kernel_amount(&apart, op, &params, OMT_CARD_NUMBERS);
		cr_expect_eq(with.of[OMT_CARD_lut] - without.of[OMT_CARD_lut],
		             info->ports * card.port.of[OMT_CARD_lut], "%s", info->name);
	}
	cr_expect_eq(omt_op_infos[OMT_OP_gemm].ports, 3);
	cr_expect_eq(omt_op_infos[OMT_OP_attention].ports, 1);
	cr_expect_eq(omt_op_infos[OMT_OP_rotary].ports, 2);
	cr_expect_eq(omt_op_infos[OMT_OP_layernorm].ports, 1);
}

Test(card_plan, what_does_not_fit_is_told)
{
	omt_card card = card_named("vck190");
	omt_card_kernel kernels[OMT_OP_COUNT];
	const omt_card_use use = usual(&card);
	layer l;
	make_layer(&l, 16, 2048);
	card.fill.of[OMT_CARD_lut] = 0.01;
	cr_expect_eq(
		omt_card_choose(&card, &use, l.launches, 4, &(omt_hls_params){0}, kernels, &err),
		OMT_UNSUPPORTED);
	cr_expect_not_null(strstr(err.text, card.part), "%s", err.text);
	card = card_named("vck190");
	card.multiply_add[OMT_CARD_f32] = (omt_card_amount){0};
	cr_expect_eq(
		omt_card_choose(&card, &use, l.launches, 4, &(omt_hls_params){0}, kernels, &err),
		OMT_UNSUPPORTED);
	cr_expect_not_null(strstr(err.text, "multiply_add says nothing of f32"), "%s", err.text);
}

/* ---- whole plans ---- */

static json_t *plan_of(omt_model *of, const char *backend, const char *device,
                       const omt_plan_options *sizes)
{
	omt_plan_options options = *sizes;
	char *text;
	json_t *plan;
	omt_engine_options_init(&options.engine);
	options.engine.backend = backend;
	options.engine.device = device;
	options.engine.cache = "none";
	cr_assert_eq(omt_plan(of, &options, &text, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_json_parse("plan", text, strlen(text), &plan, &err), OMT_OK);
	omt_free(text);
	return plan;
}

static double number(const json_t *at, const char *key)
{
	return json_number_value(json_object_get(at, key));
}

/* A configuration alone gives the plan that the checkpoint gives. */
Test(card_plan, a_plan_needs_no_weights)
{
	const omt_plan_options sizes = {.text_tokens = 20, .image_pixels = 112, .items = 2};
	omt_model *shapes;
	cr_assert_eq(omt_model_open_like(DATA "tiny", DATA "tiny/config.json", &shapes, &err),
	             OMT_OK, "%s", err.text);
	json_t *with = plan_of(model, "ref", NULL, &sizes);
	json_t *without = plan_of(shapes, "ref", NULL, &sizes);
	cr_expect(json_equal(with, without));
	json_decref(with);
	json_decref(without);
	omt_model_close(shapes);
	cr_expect_eq(omt_model_open_like(DATA "tiny", "no-such-shape", &shapes, &err),
	             OMT_BAD_ARGUMENT);
}

/* 4.7 billion parameters on a card, from their shapes: sums are sums, kernels fit. */
Test(card_plan, the_real_model_is_planned_for_a_card)
{
	const omt_plan_options sizes = {.text_tokens = 512, .items = 1};
	omt_model *real;
	size_t i;
	json_t *op;
	cr_assert_eq(omt_model_open_like(DATA "tiny", "omni-embed-nemotron-3b", &real, &err),
	             OMT_OK, "%s", err.text);
	json_t *plan = plan_of(real, NULL, "u55c", &sizes);
	const json_t *card = json_object_get(plan, "card");
	const json_t *resources = json_object_get(card, "resources");
	double seconds = 0, joules = 0, cycles = 0;
	cr_assert(json_is_object(card));
	json_array_foreach(json_object_get(plan, "ops"), i, op)
	{
		seconds += number(op, "seconds");
		joules += number(op, "joules");
		cycles += number(op, "cycles");
	}
	cr_expect_gt(seconds, 0);
	cr_expect_float_eq(number(card, "seconds"), seconds, 1e-9 * seconds);
	cr_expect_float_eq(number(card, "joules"), joules, 1e-9 * joules);
	cr_expect_eq(number(card, "cycles"), cycles);
	cr_expect_float_eq(number(card, "items_per_s"), 1 / seconds, 1e-9 / seconds);
	for (int r = 0; r < OMT_CARD_RESOURCES; r++)
		cr_expect_leq(
			number(json_object_get(resources, "used"), omt_card_resource_names[r]),
			number(json_object_get(resources, "usable"), omt_card_resource_names[r]));
	json_decref(plan);
	omt_model_close(real);
}

/* ---- predictions against counts ---- */

/* Every trip and byte of a whole forward is what the plan said before. */
static void expect_predicted(const omt_plan_options *sizes, const char *weights)
{
	omt_plan_options options = *sizes;
	omt_engine *engine;
	omt_sample samples[2] = {0};
	float vectors[2 * 64];
	json_t *plan;
	char *text;
	omt_engine_options_init(&options.engine);
	options.engine.backend = "hls";
	options.engine.weights = weights;
	options.engine.cache = "none";
	options.engine.max_tokens = 1024;
	cr_assert_eq(omt_plan(model, &options, &text, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_json_parse("plan", text, strlen(text), &plan, &err), OMT_OK);
	omt_free(text);
	cr_assert_eq(omt_engine_open(model, &options.engine, &engine, &err), OMT_OK, "%s",
	             err.text);
	for (int32_t i = 0; i < options.items; i++)
		cr_assert_eq(omt_plan_sample(model, &options, &samples[i], &err), OMT_OK, "%s",
		             err.text);
	(void)omt_hls_counted(); /* what packed the weights */
	cr_assert_eq(
		omt_engine_forward(engine, samples, (size_t)options.items, NULL, vectors, &err),
		OMT_OK, "%s", err.text);
	const omt_hls_cost counted = omt_hls_counted();
	cr_expect_eq(omt_exec_fallbacks(omt_engine_exec(engine)), 0u); /* all ops have a kernel */
	const json_t *told = json_object_get(plan, "simulated");
	const json_t *trips = json_object_get(told, "trips");
	cr_expect_gt(counted.trips[HLS_COMPUTE], 0);
	cr_expect_eq(number(trips, "load"), counted.trips[HLS_LOAD], "%s", weights);
	cr_expect_eq(number(trips, "compute"), counted.trips[HLS_COMPUTE], "%s", weights);
	cr_expect_eq(number(trips, "store"), counted.trips[HLS_STORE], "%s", weights);
	cr_expect_eq(number(told, "read_bytes"), counted.read_bytes, "%s: %.0f, counted %llu",
	             weights, number(told, "read_bytes"), (unsigned long long)counted.read_bytes);
	cr_expect_eq(number(told, "written_bytes"), counted.written_bytes, "%s", weights);
	for (int32_t i = 0; i < options.items; i++)
		omt_sample_free(&samples[i]);
	json_decref(plan);
	omt_engine_close(engine);
}

Test(card_plan, a_forward_counts_what_its_plan_predicts)
{
	static const char *const kinds[] = {"stored", "bf16", "int8"};
	static const omt_plan_options sizes[] = {
		{.text_tokens = 21, .items = 1},
		{.text_tokens = 5, .image_pixels = 112, .audio_seconds = 1.3, .items = 2},
		{.text_tokens = 1, .video_frames = 4, .items = 1},
	};
	for (size_t kind = 0; kind < 3; kind++)
		for (size_t size = 0; size < 3; size++)
			expect_predicted(&sizes[size], kinds[kind]);
}
