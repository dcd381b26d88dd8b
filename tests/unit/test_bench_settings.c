/* Benchmark files: what is refused, with its line, and the grid that a file spans. */
#include <criterion/criterion.h>
#include <glob.h>
#include <string.h>

#include "bench/settings.h"

/* Enough to be valid; cases go below it, from line 4 on. */
#define BASE "model: m\nbackend: ref\ndata: {passages: p.jsonl, queries: q.jsonl, qrels: r.tsv}\n"

static omt_status parse(const char *text, const omt_progress *progress, omt_bench_grid *grid,
                        omt_error *err)
{
	return omt_bench_grid_parse("dir/b.yaml", text, strlen(text), progress, grid, err);
}

static void expect_refused(const char *text, const char *expected)
{
	omt_bench_grid grid;
	omt_error err = {0};
	const omt_status status = parse(text, NULL, &grid, &err);
	cr_expect_eq(status, OMT_BAD_FORMAT, "%s: %s", text, err.text);
	cr_expect(!strncmp(err.text, expected, strlen(expected)), "%s\nis: %s\nexpected: %s", text,
	          err.text, expected);
	cr_expect_null(grid.yaml.root);
	if (status == OMT_OK)
		omt_bench_grid_free(&grid);
}

Test(bench_settings, unknown_keys)
{
	static const struct {
		const char *more, *error;
	} cases[] = {
		{"colour: red\n", "dir/b.yaml:4: \"colour\" is an unknown key"},
		{"warmup: 8\n", "dir/b.yaml:4: \"warmup\" is an unknown key"},
		{"engine:\n  slots: 2\n  slot: 1\n",
	         "dir/b.yaml:6: \"engine.slot\" is an unknown key"},
		{"limits: {min_frames: 4}\n",
	         "dir/b.yaml:4: \"limits.min_frames\" is an unknown key"},
		{"scenario:\n\n  modus: offline\n",
	         "dir/b.yaml:6: \"scenario.modus\" is an unknown key"},
		{"retrieval: {ks: [1]}\n", "dir/b.yaml:4: \"retrieval.ks\" is an unknown key"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[512];
		snprintf(text, sizeof text, BASE "%s", cases[i].more);
		expect_refused(text, cases[i].error);
	}
}

/* What is wrong with a line behind a file's first three. */
static void expect_fourth_line(const char *more, const char *wrong)
{
	char text[512], error[256];
	snprintf(text, sizeof text, BASE "%s\n", more);
	snprintf(error, sizeof error, "dir/b.yaml:4: %s", wrong);
	expect_refused(text, error);
}

Test(bench_settings, wrong_types_and_values)
{
	static const struct {
		const char *more, *error;
	} cases[] = {
		{"name: 3", "\"name\" is an integer, expected a string"},
		{"device: 1.5", "\"device\" is a number, expected a string"},
		{"weights: int9", "\"weights\" is \"int9\", expected stored, int8, bf16"},
		{"weights: {a: 1}", "\"weights\" is an object, expected a string"},
		{"tiles: 12", "\"tiles\" is an integer, expected a string"},
		{"cache: 1", "\"cache\" is an integer, expected a string"},
		{"engine: 8", "\"engine\" is not a mapping of keys"},
		{"engine: [1]", "\"engine\" is not a mapping of keys"},
		{"engine: {batch: 0}", "\"engine.batch\" is 0, expected 1 to 65536"},
		{"engine: {batch: 8.5}", "\"engine.batch\" is a number, expected an integer"},
		{"engine: {batch: '8'}", "\"engine.batch\" is a string, expected an integer"},
		{"engine: {max_tokens: 15}", "\"engine.max_tokens\" is 15, expected 16 to 1048576"},
		{"engine: {slots: 17}", "\"engine.slots\" is 17, expected 1 to 16"},
		{"engine: {threads: -1}", "\"engine.threads\" is -1, expected 1 to 256"},
		{"limits: {recipe: all}",
	         "\"limits.recipe\" is \"all\", expected card, st, cap, mteb16"},
		{"limits: {fps: 0}", "\"limits.fps\" is 0, expected 0.001 to 1000"},
		{"limits: {fps: .nan}", "\"limits.fps\" is a string, expected a number"},
		{"limits: {max_frames: 63}", "\"limits.max_frames\" is odd, expected an even"},
		{"limits: {image_max_pixels: -1}", "\"limits.image_max_pixels\" is -1, expected"},
		{"limits: {video_max_pixels: 0}", "\"limits.video_max_pixels\" is 0, expected"},
		{"fusion: true", "\"fusion\" is true, expected a string"},
		{"fusion: on", "\"fusion\" is \"on\", expected off, separate, interleaved"},
		{"dimension: -1", "\"dimension\" is -1, expected 0 to 65536"},
		{"scenario: {mode: serve}", "\"scenario.mode\" is \"serve\", expected offline, "
	                                    "single-stream, multi-stream, server"},
		{"scenario: {min_duration_s: -1}", "\"scenario.min_duration_s\" is -1, expected"},
		{"scenario: {min_queries: 0}", "\"scenario.min_queries\" is 0, expected 1 to"},
		{"scenario: {warmup: many}", "\"scenario.warmup\" is a string, expected an"},
		{"scenario: {repetitions: 0}", "\"scenario.repetitions\" is 0, expected 1 to 1000"},
		{"scenario: {seed: -1}", "\"scenario.seed\" is -1, expected 0 to"},
		{"scenario: {mode: server, target_latency_ms: 0}",
	         "\"scenario.target_latency_ms\" is 0, expected 0.001"},
		{"scenario: {mode: server, target_latency_ms: 9, percentile: 100}",
	         "\"scenario.percentile\" is 100, expected 1 to 99.99"},
		{"scenario: {overlap: 1}", "\"scenario.overlap\" is an integer, expected true or"},
		{"scenario: {requests: ''}", "\"scenario.requests\" is empty"},
		{"retrieval: {convention: trec}", "\"retrieval.convention\" is \"trec\", expected "
	                                          "trec_eval, mteb, mmeb"},
		{"retrieval: {k: 10}", "\"retrieval.k\" is an integer, expected an array"},
		{"retrieval: {k: []}", "\"retrieval.k\" is an empty list"},
		{"retrieval: {k: [0]}", "\"retrieval.k\"[0] is not an integer of 1 to"},
		{"retrieval: {k: [5, 1, 5]}", "\"retrieval.k\" holds 5 twice"},
		{"retrieval: {k: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}",
	         "\"retrieval.k\" has 17 entries, at most 16"},
		{"retrieval: {bootstrap: -1}", "\"retrieval.bootstrap\" is -1, expected 0 to"},
		{"profile: 'yes'", "\"profile\" is a string, expected true or false"},
		{"roofline: 1", "\"roofline\" is an integer, expected true or false"},
		{"energy: rapl", "\"energy\" is a string, expected true or false"},
		{"output: \"a\\0b\"", "\"output\" holds a NUL byte"},
		{"output: [a]", "\"output\" takes one value, not a list"},
		{"scenario: {seed: [1, 2]}", "\"scenario.seed\" takes one value, not a list"},
		{"weights: []", "\"weights\" is an empty list"},
		{"weights: [int8, int8]", "\"weights[1]\" is there already"},
		{"weights: [int8, ~]", "\"weights[1]\" is not a single value"},
		{"weights: [[int8]]", "\"weights[0]\" is not a single value"},
		{"engine: {slots: [1, 99]}", "\"engine.slots\" is 99, expected 1 to 16"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_fourth_line(cases[i].more, cases[i].error);
}

Test(bench_settings, preparation)
{
	static const struct {
		const char *more, *error;
	} cases[] = {
		{"limits: {frames: all}", "\"limits.frames\" is \"all\", expected uniform, scene"},
		{"limits: {scene_threshold: 1.5}", "\"limits.scene_threshold\" is 1.5, expected 0"},
		{"limits: {subtitles: eng}", "\"limits.subtitles\" is \"eng\", expected off, on"},
		{"limits: {max_characters: 0}", "\"limits.max_characters\" is 0, expected 1 to"},
		{"limits: {page: 7}", "\"limits.page\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_fourth_line(cases[i].more, cases[i].error);
}

Test(bench_settings, an_entry_of_a_list_has_its_own_line)
{
	expect_refused(BASE "weights:\n  - int8\n  - int9\n",
	               "dir/b.yaml:6: \"weights\" is \"int9\", expected stored, int8, bf16");
	expect_refused(BASE "engine:\n  slots: [1,\n    2,\n    2]\n",
	               "dir/b.yaml:7: \"engine.slots[2]\" is there already");
}

Test(bench_settings, impossible_combinations)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{"backend: ref\ndata: {passages: p}\n", "dir/b.yaml:1: \"model\" is missing"},
		{"model: m\nbackend: ref\n",
	         "dir/b.yaml:1: \"data\" names neither passages nor a BEIR folder"},
		{"model: m\ndata:\n  queries: q\n",
	         "dir/b.yaml:2: \"data\" names neither passages nor a BEIR folder"},
		{"model: m\ndata:\n  passages: p\n  beir: b\n",
	         "dir/b.yaml:4: \"data.beir\" stands beside passages"},
		{"model: m\ndata:\n  split: dev\n  passages: p\n",
	         "dir/b.yaml:3: \"data.split\" is of a BEIR folder"},
		{"model: m\ndata: {passages: p,\n  qrels: q}\n",
	         "dir/b.yaml:3: \"data.qrels\" needs data.queries"},
		{"model: m\ndata: {passages: p}\nretrieval: {k: [1]}\n",
	         "dir/b.yaml:3: \"retrieval\" needs data.queries and data.qrels"},
		{"model: m\nbackend: [ref, model]\ndevice: d.yaml\ndata: {passages: p}\n",
	         "dir/b.yaml:3: \"device\" is a model of a device"},
		{BASE "retrieval: {k: [1]}\ndevice: d.yaml\n",
	         "dir/b.yaml:5: \"device\" is a model of a device"},
		{"model: m\nbackend: model\ndevice: d.yaml\ndata: {beir: b}\nretrieval: {k: [1]}\n",
	         "dir/b.yaml:5: \"retrieval\" cannot be on backend model"},
		{"model: m\nbackend: model\ndata: {beir: b}\n",
	         "dir/b.yaml:1: \"device\" is not a .yaml file"},
		{"model: m\nbackend: model\ndevice: d.yaml,0\ndata: {beir: b}\n",
	         "dir/b.yaml:3: \"device\" is not a .yaml file"},
		{"model: m\nbackend: model,ref\ndata: {beir: b}\n",
	         "dir/b.yaml:2: \"backend\" has model in a chain"},
		{"model: m\nbackend: opencl,\ndata: {beir: b}\n",
	         "dir/b.yaml:2: \"backend\" is \"opencl,\", expected"},
		{BASE "scenario:\n  mode: server\n",
	         "dir/b.yaml:4: \"scenario.target_latency_ms\" is missing"},
		{BASE "scenario:\n  mode: [offline, server]\n",
	         "dir/b.yaml:4: \"scenario.target_latency_ms\" is missing"},
		{BASE "scenario:\n  rate: 5\n",
	         "dir/b.yaml:5: \"scenario.rate\" says nothing in this"},
		{BASE "scenario:\n  mode: single-stream\n  samples_per_query: 5\n",
	         "dir/b.yaml:6: \"scenario.samples_per_query\" says nothing in this"},
		{BASE "engine: {slots: [2, 1]}\nscenario: {overlap: true}\n",
	         "dir/b.yaml:5: \"scenario.overlap\" compares with engine.slots: 1"},
		{BASE "weights: [stored, int8]\ntrace: t.json\n",
	         "dir/b.yaml:5: \"trace\" would be written by each point"},
		{BASE "scenario: {mode: modelled}\n", "dir/b.yaml:1: \"card.name\" is missing"},
		{BASE "card:\n  pe: 8\n", "dir/b.yaml:5: \"card.pe\" says nothing in this"},
		{BASE "card: {name: u55c}\nscenario:\n  mode: modelled\n  warmup: 3\n",
	         "dir/b.yaml:7: \"scenario.warmup\" says nothing in this"},
		{BASE "card: {name: u55c}\nscenario: {mode: modelled}\ntrace: t\n",
	         "dir/b.yaml:6: \"trace\" says nothing where nothing is timed"},
		{"model: m\nbackend: model\ndevice: d.yaml\ndata: {beir: b}\ncard: {name: u55c}\n"
	         "scenario: {mode: modelled}\n",
	         "dir/b.yaml:2: \"backend\" makes no vectors"},
		{BASE "output: b.yaml\n", "dir/b.yaml:4: \"output\" is also read here"},
		{BASE "trace: o\noutput: o\n", "dir/b.yaml:4: \"trace\" is also written"},
		{BASE "output: p.jsonl\n", "dir/b.yaml:4: \"output\" is also read here"},
		{BASE "scenario: {requests: b.yaml}\n",
	         "dir/b.yaml:4: \"scenario.requests\" is also"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		expect_refused(cases[i].yaml, cases[i].error);
}

static void keep_note(void *user, const char *text)
{
	char *notes = user;
	strncat(notes, text, 4000 - strlen(notes));
	strcat(notes, "\n");
}

Test(bench_settings, tells_all_errors_by_line)
{
	static const char text[] = "model: m\nretrieval: {k: []}\nweights: int9\ncolour: red\n"
				   "engine: {slots: 0, batch: 0}\n";
	char notes[4200] = "";
	omt_bench_grid grid;
	omt_error err;
	const omt_progress progress = {.user = notes, .note = keep_note};
	cr_expect_eq(parse(text, &progress, &grid, &err), OMT_BAD_FORMAT);
	cr_expect_str_eq(notes,
	                 "dir/b.yaml:2: \"retrieval.k\" is an empty list\n"
	                 "dir/b.yaml:3: \"weights\" is \"int9\", expected stored, int8, bf16\n"
	                 "dir/b.yaml:4: \"colour\" is an unknown key\n"
	                 "dir/b.yaml:5: \"engine.slots\" is 0, expected 1 to 16\n"
	                 "dir/b.yaml:5: \"engine.batch\" is 0, expected 1 to 65536\n");
	cr_expect_str_eq(err.text, "dir/b.yaml:2: \"retrieval.k\" is an empty list (the first of 5 "
	                           "errors)");
}

/* More errors than are kept: the first ones by line are. */
Test(bench_settings, keeps_the_first_twenty)
{
	char text[2000] = "model: m\n", notes[4200] = "";
	omt_bench_grid grid;
	omt_error err;
	const omt_progress progress = {.user = notes, .note = keep_note};
	for (int i = 0; i < 30; i++)
		sprintf(text + strlen(text), "x%d: 1\n", i);
	strcat(text, "weights: int9\n");
	cr_expect_eq(parse(text, &progress, &grid, &err), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "(the first of 31 errors)"), "%s", err.text);
	cr_expect_not_null(strstr(notes, "b.yaml:21: \"x19\""), "%s", notes);
	cr_expect_null(strstr(notes, "x20"));
}

Test(bench_settings, later_axes_vary_fastest)
{
	static const char text[] = BASE "engine:\n  slots: [2, 1]\nweights: [int8, stored]\n"
					"limits: {fps: [1, 2.5]}\ndimension: [8]\n";
	static const char *const expected[] = {
		"{\"engine.slots\":2,\"weights\":\"int8\",\"limits.fps\":1,\"dimension\":8}",
		"{\"engine.slots\":2,\"weights\":\"int8\",\"limits.fps\":2.5,\"dimension\":8}",
		"{\"engine.slots\":2,\"weights\":\"stored\",\"limits.fps\":1,\"dimension\":8}",
		"{\"engine.slots\":2,\"weights\":\"stored\",\"limits.fps\":2.5,\"dimension\":8}",
		"{\"engine.slots\":1,\"weights\":\"int8\",\"limits.fps\":1,\"dimension\":8}",
	};
	omt_bench_grid grid;
	omt_error err;
	cr_assert_eq(parse(text, NULL, &grid, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(grid.points, 8);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		omt_bench_point point;
		cr_assert_eq(omt_bench_point_open(&grid, i, &point, &err), OMT_OK, "%s", err.text);
		char *varies = json_dumps(point.varies, JSON_COMPACT);
		cr_expect_str_eq(varies, expected[i]);
		cr_expect_eq(point.s.engine.slots, i < 4 ? 2 : 1);
		cr_expect_eq(point.s.limits.fps, i % 2 ? 2.5 : 1.0);
		cr_expect_eq(point.s.dimension, 8);
		free(varies);
		omt_bench_point_free(&point);
	}
	omt_bench_grid_free(&grid);
}

Test(bench_settings, a_grid_has_an_end)
{
	char text[4000] = BASE "dimension: [";
	omt_error err;
	omt_bench_grid grid;
	for (int i = 0; i < 200; i++)
		sprintf(text + strlen(text), "%s%d", i ? ", " : "", i);
	strcat(text, "]\nengine: {batch: [");
	for (int i = 1; i <= 200; i++)
		sprintf(text + strlen(text), "%s%d", i > 1 ? ", " : "", i);
	strcat(text, "]}\n");
	cr_expect_eq(parse(text, NULL, &grid, &err), OMT_BAD_FORMAT);
	cr_expect_str_eq(err.text, "dir/b.yaml:5: \"engine.batch\" makes a grid of more than 10000 "
	                           "points");
}

/* The values of a point, and what the record says they were. */
Test(bench_settings, fills_in_defaults_and_joins_paths)
{
	static const char text[] =
		"model: /m\nbackend: model\ndevice: a.yaml,/b.yaml\ncache: none\n"
		"data: {beir: set, split: dev}\nscenario:\n  mode: server\n"
		"  target_latency_ms: 50\n  requests: r.jsonl\nfusion: [off, separate]\n";
	omt_bench_grid grid;
	omt_bench_point point;
	omt_error err;
	cr_assert_eq(parse(text, NULL, &grid, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_bench_point_open(&grid, 1, &point, &err), OMT_OK, "%s", err.text);
	const omt_bench_settings *s = &point.s;
	cr_expect_str_eq(s->model, "/m");
	cr_expect_str_eq(s->engine.device, "dir/a.yaml,/b.yaml");
	cr_expect_str_eq(s->engine.cache, "none");
	cr_expect_str_eq(s->passages, "dir/set/corpus.jsonl");
	cr_expect_str_eq(s->queries, "dir/set/queries.jsonl");
	cr_expect_str_eq(s->qrels, "dir/set/qrels/dev.tsv");
	cr_expect_str_eq(s->scenario.requests, "dir/r-2.jsonl");
	cr_expect_eq(s->scenario.mode, OMT_BENCH_SERVER);
	cr_expect_eq(s->scenario.target_latency_ms, 50);
	cr_expect_eq(s->limits.fusion, OMT_AUDIO_SEPARATE);
	cr_expect_eq(s->engine.batch_items, 8);
	cr_expect_eq(s->limits.max_frames, 64);
	cr_expect_eq(s->scenario.percentile, 99);
	cr_expect(s->profile);
	char *settings = json_dumps(point.settings, JSON_COMPACT);
	for (size_t i = 0; i < 5; i++) {
		static const char *const parts[] = {
			"\"engine\":{\"batch\":8,\"max_tokens\":8192,\"slots\":2,\"threads\":1}",
			"\"recipe\":\"cap\",\"fps\":2.0,\"max_frames\":64",
			"\"fusion\":\"separate\"", "\"mode\":\"server\",\"min_duration_s\":10",
			"\"beir\":\"set\",\"split\":\"dev\""};
		cr_expect_not_null(strstr(settings, parts[i]), "%s in %s", parts[i], settings);
	}
	free(settings);
	omt_bench_point_free(&point);
	omt_bench_grid_free(&grid);
}

Test(bench_settings, examples_are_valid)
{
	glob_t found;
	cr_assert_eq(glob("configs/bench/*.yaml", 0, NULL, &found), 0);
	cr_expect_geq(found.gl_pathc, 4);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		omt_bench_grid grid;
		omt_error err;
		cr_expect_eq(omt_bench_grid_load(found.gl_pathv[i], NULL, &grid, &err), OMT_OK,
		             "%s", err.text);
		omt_bench_grid_free(&grid);
	}
	globfree(&found);
}
