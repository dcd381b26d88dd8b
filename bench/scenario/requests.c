#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "bench/scenario/part.h"

static json_t *line_of(size_t part, const omt_bench_item *item, const omt_request *request)
{
	json_t *line = json_pack("{sI sI so ss si sf}", "part", (json_int_t)part, "query",
	                         (json_int_t)request->query, "id", omt_json_text(item->item->id),
	                         "modality", omt_bench_group_names[item->group], "tokens",
	                         request->tokens, "arrival_s", request->arrival_s);
	for (int stage = 0; stage < OMT_STAGES; stage++) {
		char key[32];
		snprintf(key, sizeof key, "%s_ms", omt_stage_names[stage]);
		json_object_set_new(line, key, json_real(request->stage_ms[stage]));
	}
	json_object_set_new(line, "total_ms", json_real(request->total_ms));
	json_object_set_new(line, "batch", json_integer((json_int_t)request->batch));
	json_object_set_new(line, "failed", json_boolean(request->failed));
	return line;
}

omt_status omt_requests_write(FILE *stream, size_t part, const omt_traffic *traffic,
                              const omt_trial *trial, omt_error *err)
{
	for (size_t i = 0; i < trial->requests.count; i++) {
		const omt_request *request = omt_requests_at(&trial->requests, i);
		json_t *line = line_of(part, &traffic->items->all[request->place], request);
		const bool written =
			line &&
			json_dumpf(line, stream, JSON_COMPACT | JSON_REAL_PRECISION(9)) == 0 &&
			fputc('\n', stream) != EOF;
		json_decref(line);
		if (!written)
			return OMT_FAIL(err, IO, "%s: %s", traffic->load->scenario->requests,
			                strerror(errno));
	}
	return OMT_OK;
}
