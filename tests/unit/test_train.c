/* A training as it is called: stopped, and taken up again. */
#include "omnitile_tools.h"
#include "tests/unit/tiny.h"

TestSuite(train, .init = tiny_open, .fini = tiny_close);

static char config[1024];

static void write_training(void)
{
	static const char lists[] = "queries: q.jsonl, passages: p.jsonl, qrels: r.tsv";
	char *tiny = realpath(DATA "tiny", NULL);
	const char *const texts[][2] = {
		{"q.jsonl", "{\"id\":\"a\",\"text\":\"red\"}\n{\"id\":\"b\",\"text\":\"blue\"}\n"},
		{"p.jsonl", "{\"id\":\"a\",\"text\":\"fox\"}\n{\"id\":\"b\",\"text\":\"hen\"}\n"},
		{"r.tsv", "a\t0\ta\t1\nb\t0\tb\t1\n"},
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		FILE *to = fopen(scratch_path(texts[i][0]), "w");
		fputs(texts[i][1], to);
		fclose(to);
	}
	snprintf(config, sizeof config, "%s", scratch_path("t.yaml"));
	FILE *to = fopen(config, "w");
	fprintf(to,
	        "model: %s\noutput: .\nsteps: 2\nbatch: 2\nthreads: 1\ndata: [{%s}]\n"
	        "eval: {every: 1, k: [1], sets: [{name: e, %s}, {name: f, %s}]}\n",
	        tiny, lists, lists, lists);
	fclose(to);
	free(tiny);
}

/* How often it may still be asked. */
static bool stop(void *user)
{
	return --*(int *)user < 0;
}

static int lines_with(const char *text)
{
	char line[4096];
	int found = 0;
	FILE *from = fopen(scratch_path("log.jsonl"), "r");
	while (fgets(line, sizeof line, from))
		found += strstr(line, text) != NULL;
	fclose(from);
	return found;
}

/* It is asked before the passages and the queries of each set, and before each step. */
Test(train, an_evaluation_that_was_stopped_is_told_once)
{
	int left = 3; /* set e and the passages of f */
	omt_train_options options = {.stop = stop, .user = &left};
	write_training();
	cr_assert_eq(omt_train(config, &options, &err), OMT_STOPPED, "%s", err.text);
	cr_expect_not_null(strstr(err.text, "stopped after step 0 of 2"), "%s", err.text);
	cr_expect_eq(lines_with("\"eval\""), 0);
	left = 4; /* both sets */
	cr_assert_eq(omt_train(config, &options, &err), OMT_STOPPED, "%s", err.text);
	cr_expect_eq(lines_with("\"eval\":\"e\""), 1);
	cr_expect_eq(lines_with("\"eval\":\"f\""), 1);
	left = 0;
	cr_assert_eq(omt_train(config, &options, &err), OMT_STOPPED, "%s", err.text);
	cr_expect_eq(lines_with("\"eval\""), 2, "an evaluation that is done is not done again");
}
