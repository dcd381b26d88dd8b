/* One input as judgements and as a run of themselves, and as values by query. */
#include <math.h>

#include "index/metrics.h"
#include "index/significance.h"
#include "tests/fuzz/input.h"

/* Compared with itself nothing differs. */
static void compare(const uint8_t *data, size_t size)
{
	json_t *compared, *values = json_loadb((const char *)data, size, 0, NULL), *cuts, *paired;
	const char *measure, *cut;
	omt_error err;
	if (values && omt_per_query_compare(values, values, 8, 1, &compared, &err) == OMT_OK) {
		json_object_foreach(compared, measure, cuts) json_object_foreach(
			cuts, cut,
			paired) if (json_number_value(json_object_get(paired, "difference")) != 0)
			abort();
		json_decref(compared);
	}
	json_decref(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const omt_scoring by[] = {
		{.convention = "trec_eval"}, {.convention = "mteb"}, {.convention = "mmeb"}};
	omt_qrels *qrels = NULL;
	omt_run *run = NULL;
	omt_scores scores;
	omt_error err;
	char path[64];
	compare(data, size);
	int fd = fuzz_file(data, size, path);
	(void)omt_run_load(path, &run, &err);
	if (omt_qrels_load(path, &qrels, &err) == OMT_OK && !run)
		(void)omt_run_new(&run, &err);
	for (int i = 0; qrels && run && i < 3; i++) {
		if (omt_scores_compute(qrels, run, &by[i], &scores, &err) != OMT_OK)
			abort();
		for (size_t c = 0; c < scores.column_count; c++)
			if (!(scores.mean[c] >= 0 && scores.mean[c] <= 1.000001))
				abort();
		omt_scores_free(&scores);
		if (omt_scores_chance(qrels, &(omt_collection){.count = 10}, &by[i], &scores,
		                      &err) != OMT_OK)
			abort();
		for (size_t c = 0; c < scores.column_count; c++)
			if (!isfinite(scores.mean[c]))
				abort();
	}
	omt_qrels_free(qrels);
	omt_run_free(run);
	close(fd);
	return 0;
}
