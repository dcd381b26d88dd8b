/* Where the time of an item went: spans that are known. */
#include <criterion/criterion.h>

#include "model/stages.h"

static const omt_work work = {
	.begin_s = 11, .decode_s = 2, .end_s = 16, .fill_begin_s = 17, .fill_end_s = 18};

static omt_result stages_of(const omt_outcome *done, double taken_s, double delivered_s)
{
	omt_result result = {.taken_s = taken_s, .delivered_s = delivered_s};
	omt_stages_fill(&work, done, &result);
	return result;
}

static void expect(const omt_result *r, double queue, double transfer, double compute)
{
	cr_expect_float_eq(r->decode_ms, 2e3, 1e-6);
	cr_expect_float_eq(r->preprocess_ms, 3e3, 1e-6);
	cr_expect_float_eq(r->pack_ms, 1e3, 1e-6);
	cr_expect_float_eq(r->prepare_ms, 6e3, 1e-6);
	cr_expect_float_eq(r->queue_ms, 1e3 * queue, 1e-6);
	cr_expect_float_eq(r->transfer_ms, 1e3 * transfer, 1e-6);
	cr_expect_float_eq(r->compute_ms, 1e3 * compute, 1e-6);
	cr_expect_float_eq(r->latency_ms, 1e3 * (r->delivered_s - r->taken_s), 1e-6);
	cr_expect_float_eq(r->latency_ms,
	                   r->queue_ms + r->prepare_ms + r->transfer_ms + r->compute_ms, 1e-6);
}

Test(stages, one_after_another)
{
	const omt_outcome done = {.sent_s = 20,
	                          .arrived_s = 21,
	                          .begin_s = 25,
	                          .computed_s = 30,
	                          .fetched_s = 31,
	                          .end_s = 33};
	omt_result r = stages_of(&done, 10, 37);
	expect(&r, 1 + 1 + 2 + 4 + 1 + 4, 3, 5);
}

Test(stages, ops_beside_their_own_upload)
{
	const omt_outcome done = {.sent_s = 18,
	                          .arrived_s = 24,
	                          .begin_s = 20,
	                          .computed_s = 30,
	                          .fetched_s = 30,
	                          .end_s = 31};
	omt_result r = stages_of(&done, 11, 31);
	expect(&r, 1, 7, 6);
}

Test(stages, nothing_was_computed)
{
	const omt_outcome lost = {0};
	omt_result r = stages_of(&lost, 10, 20);
	expect(&r, 1 + 1 + 2, 0, 0);
}

Test(stages, failed_before_it_was_in_a_batch)
{
	const omt_work broken = {.begin_s = 11, .decode_s = 2, .end_s = 13};
	omt_result r = {.taken_s = 10, .delivered_s = 15};
	omt_stages_fill(&broken, NULL, &r);
	cr_expect_float_eq(r.queue_ms, 3e3, 1e-6);
	cr_expect_float_eq(r.decode_ms, 2e3, 1e-6);
	cr_expect_float_eq(r.latency_ms, 5e3, 1e-6);
	cr_expect_float_eq(r.preprocess_ms + r.pack_ms + r.transfer_ms + r.compute_ms, 0, 1e-6);
}
