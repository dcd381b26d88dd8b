/* One input as judgements and as a run of themselves. */
#include <math.h>

#include "index/metrics.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int32_t cuts[] = {1, 10};
	omt_qrels *qrels = NULL;
	omt_run *run = NULL;
	omt_metrics metrics;
	omt_error err;
	char path[64];
	int fd = fuzz_file(data, size, path);
	(void)omt_run_load(path, &run, &err);
	if (omt_qrels_load(path, &qrels, &err) == OMT_OK && !run)
		(void)omt_run_new(&run, &err);
	if (qrels && run) {
		if (omt_metrics_compute(qrels, run, cuts, 2, true, &metrics, &err) != OMT_OK ||
		    !(metrics.ndcg[1] >= 0 && metrics.ndcg[1] <= 1.000001))
			abort();
		if (omt_metrics_chance(qrels, 10, cuts, 2, &metrics, &err) != OMT_OK ||
		    !isfinite(metrics.ndcg[1]))
			abort();
	}
	omt_qrels_free(qrels);
	omt_run_free(run);
	close(fd);
	return 0;
}
