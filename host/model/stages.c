#include "model/stages.h"

#include <math.h>

void omt_stages_fill(const omt_work *work, const omt_outcome *done, omt_result *result)
{
	static const omt_outcome nothing = {0};
	const double decoded_s = work->begin_s + work->decode_s;
	double at_s = result->taken_s;
	done = done ? done : &nothing;
	/* In the order of time; those that were not are at 0. */
	const struct {
		double begin_s, end_s;
		double *ms;
	} spans[] = {
		{work->begin_s, decoded_s, &result->decode_ms},
		{decoded_s, work->end_s, &result->preprocess_ms},
		{work->fill_begin_s, work->fill_end_s, &result->pack_ms},
		{done->sent_s, done->arrived_s, &result->transfer_ms},
		{done->begin_s, done->computed_s, &result->compute_ms},
		{done->fetched_s, done->end_s, &result->transfer_ms},
		{result->delivered_s, result->delivered_s, &result->queue_ms},
	};
	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		const double begin_s = fmax(spans[i].begin_s, at_s);
		const double end_s = fmax(spans[i].end_s, begin_s);
		result->queue_ms += 1e3 * (begin_s - at_s);
		*spans[i].ms += 1e3 * (end_s - begin_s);
		at_s = end_s;
	}
	result->prepare_ms = result->decode_ms + result->preprocess_ms + result->pack_ms;
	result->latency_ms = 1e3 * (result->delivered_s - result->taken_s);
}
