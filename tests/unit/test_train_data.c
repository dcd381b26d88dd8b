/* What a training reads and in which order it walks: settings, lists at random, data sets,
 * samplers, items made ready. */
#include "index/catalog.h"
#include "tests/unit/tiny.h"
#include "train/draw.h"

TestSuite(train_data, .init = tiny_open, .fini = tiny_close);

/* ---- settings ------------------------------------------------------------------------------ */

#define LEAST "model: m\noutput: o\nsteps: 5\ndata: [{queries: q, passages: p, qrels: r}]\n"

static omt_train_settings settings;

static omt_status parse(const char *text, const char *set)
{
	return omt_train_settings_parse("a/t.yaml", text, strlen(text), &set, set != NULL,
	                                &settings, &err);
}

static void expect_refused(const char *text, const char *set, const char *reason)
{
	cr_expect_neq(parse(text, set), OMT_OK, "%s", reason);
	cr_expect_not_null(strstr(err.text, reason), "%s: %s", reason, err.text);
}

Test(train_data, settings_have_defaults_and_paths_of_the_file)
{
	cr_assert_eq(parse(LEAST, NULL), OMT_OK, "%s", err.text);
	cr_expect_str_eq(settings.model, "a/m");
	cr_expect_str_eq(settings.data[0].qrels, "a/r");
	cr_expect_str_eq(settings.data[0].name, "data[0]");
	cr_expect_eq(settings.data[0].weight, 1);
	cr_expect_eq(settings.optimiser.beta2, 0.999);
	cr_expect_eq(settings.optimiser.steps, 5);
	cr_expect_str_eq(settings.targets[6], "down_proj");
	omt_train_settings_free(&settings);
}

Test(train_data, settings_are_all_read)
{
	cr_assert_eq(parse(LEAST "method: lora\nlora: {rank: 4, alpha: 8, targets: [v_proj]}\n"
	                         "loss: {temperature: 0.05, contrast: own, symmetric: true, "
	                         "mask_margin: 0.1, negatives: 2}\n"
	                         "optimiser: {lr: 1e-3, betas: [0.8, 0.9], schedule: linear}\n"
	                         "gradient_cache: true\nkeep: checkpoints\n"
	                         "limits: {fps: 4, max_frames: 8}\n"
	                         "eval: {every: 2, k: [5], sets: [{name: e, queries: a, "
	                         "passages: b, qrels: c, fusion: separate}]}\n",
	                   "data[0].weight=2.5"),
	             OMT_OK, "%s", err.text);
	cr_expect_eq(settings.method, OMT_TRAIN_LORA);
	cr_expect_eq(settings.lora_rank, 4);
	cr_expect_str_eq(settings.targets[0], "v_proj");
	cr_expect_null(settings.targets[1]);
	cr_expect_eq(settings.loss.contrast, OMT_CONTRAST_OWN);
	cr_expect_eq(settings.loss.mask_margin, 0.1);
	cr_expect_eq(settings.optimiser.beta1, 0.8);
	cr_expect_eq(settings.optimiser.schedule, OMT_SCHEDULE_LINEAR);
	cr_expect_eq(settings.keep, 1);
	cr_expect_eq(settings.limits.max_frames, 8);
	cr_expect_eq(settings.data[0].weight, 2.5);
	cr_expect_eq(settings.cuts[0], 5);
	cr_expect_eq(settings.evals[0].fusion, OMT_AUDIO_SEPARATE);
	omt_train_settings_free(&settings);
}

Test(train_data, settings_that_are_wrong_are_named)
{
	expect_refused(LEAST "speed: 1\n", NULL, "t.yaml:5: unknown key \"speed\"");
	expect_refused(LEAST "loss: {colour: 1}\n", NULL, ":5: unknown key \"loss.colour\"");
	expect_refused(LEAST "method: half\n", NULL, "expected one of full, lora");
	expect_refused(LEAST "lora: {rank: 4}\n", NULL, ":5: \"lora\" stands beside method: full");
	expect_refused(LEAST "optimiser: {betas: [0.9]}\n", NULL, "takes two numbers");
	expect_refused(LEAST "keep: checkpoints\n", NULL, "gradient_cache: true");
	expect_refused(LEAST "eval: {every: 5}\n", NULL, "eval.sets");
	expect_refused(LEAST "method: lora\nlora: {targets: [x_proj]}\n", NULL, "takes q_proj");
	expect_refused("model: m\noutput: o\nsteps: 5\n", NULL, "\"data\" is missing");
	expect_refused("model: m\noutput: o\nsteps: 5\ndata: [{queries: q}]\n", NULL,
	               ":4: \"data[0]\" has no \"passages\"");
	expect_refused(LEAST, "data[0].weight=0", "\"data\" has no weight above 0");
	expect_refused(LEAST, "data[1].weight=1", "nothing to set at \"data[1].weight\"");
	expect_refused(LEAST, "batch=none", "a/t.yaml: \"batch\"");
	expect_refused(LEAST, "batch", "expected key=value");
}

Test(train_data, settings_of_two_runs_are_compared)
{
	cr_assert_eq(parse(LEAST, NULL), OMT_OK, "%s", err.text);
	json_t *before = omt_train_settings_values(&settings);
	omt_train_settings_free(&settings);
	cr_assert_eq(parse(LEAST, "save_every=7"), OMT_OK, "%s", err.text);
	json_t *same = omt_train_settings_values(&settings);
	omt_train_settings_free(&settings);
	cr_assert_eq(parse(LEAST, "optimiser.lr=0.5"), OMT_OK, "%s", err.text);
	json_t *other = omt_train_settings_values(&settings);
	omt_train_settings_free(&settings);
	cr_expect_eq(omt_train_settings_compare(before, same, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(omt_train_settings_compare(before, other, &err), OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "\"optimiser.lr\" was 0.0001 and is 0.5");
	json_decref(before);
	json_decref(same);
	json_decref(other);
}

/* ---- lists at random ----------------------------------------------------------------------- */

static int notes;

static void count_note(void *user, const char *text)
{
	(void)user;
	(void)text;
	notes++;
}

static const omt_progress counting = {.note = count_note};

Test(train_data, a_list_is_read_at_random)
{
	const char *path =
		scratch_text("l.jsonl", "{\"id\":\"a\",\"text\":\"one\"}\n"
	                                "not JSON\n\n"
	                                "{\"id\":\"b\",\"image\":\"x.png\"}\n"
	                                "{\"_id\":\"c\",\"title\":\"t\",\"text\":\"u\"}\n"
	                                "{\"id\":\"a\",\"text\":\"again\"}\n"
	                                "{\"text\":\"no id\"}");
	omt_catalog *catalog;
	omt_limits limits;
	omt_item *item;
	omt_limits_init(&limits);
	cr_assert_eq(omt_catalog_open(path, OMT_ROLE_PASSAGE, &limits, &counting, &catalog, &err),
	             OMT_OK, "%s", err.text);
	cr_expect_eq(omt_catalog_broken(catalog), 2);
	cr_expect_eq(notes, 2);
	cr_assert_eq(omt_catalog_ids(catalog)->count, 4);
	static const struct {
		uint32_t number;
		const char *id, *text;
	} wanted[] = {{3, "7", "no id"}, {0, "a", "one"}, {2, "c", "t u"}, {0, "a", "one"}};
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		cr_assert_eq(omt_catalog_item(catalog, wanted[i].number, &item, &err), OMT_OK, "%s",
		             err.text);
		cr_expect_str_eq(item->id, wanted[i].id);
		cr_expect_str_eq(item->parts[0].text, wanted[i].text);
		free(item);
	}
	cr_assert_eq(omt_catalog_item(catalog, 1, &item, &err), OMT_OK, "%s", err.text);
	cr_expect_str_eq(item->parts[0].path, scratch_path("x.png"));
	free(item);
	omt_catalog_close(catalog);
}

Test(train_data, a_list_that_was_changed_is_told)
{
	char line[8192];
	omt_catalog *catalog;
	omt_limits limits;
	omt_item *item;
	memset(line, 'x', sizeof line);
	memcpy(line, "{\"id\":\"a\",\"text\":\"", 18);
	memcpy(line + sizeof line - 4, "\"}\n", 4);
	omt_limits_init(&limits);
	const char *path = scratch_text("l.jsonl", line);
	FILE *to = fopen(path, "a");
	fputs("{\"id\":\"b\",\"text\":\"two\"}\n", to);
	fclose(to);
	cr_assert_eq(omt_catalog_open(path, OMT_ROLE_NONE, &limits, NULL, &catalog, &err), OMT_OK,
	             "%s", err.text);
	scratch_text("l.jsonl", "{\"id\":\"z\",\"text\":\"one\"}\n");
	cr_expect_eq(omt_catalog_item(catalog, 0, &item, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "id \"z\", it was \"a\""), "%s", err.text);
	cr_expect_eq(omt_catalog_item(catalog, 1, &item, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "the line is gone"), "%s", err.text);
	omt_catalog_close(catalog);
}

Test(train_data, a_list_without_items_is_refused)
{
	omt_catalog *catalog;
	omt_limits limits;
	omt_limits_init(&limits);
	const char *path = scratch_text("l.jsonl", "\n\n");
	cr_expect_eq(omt_catalog_open(path, OMT_ROLE_NONE, &limits, NULL, &catalog, &err),
	             OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "no item"), "%s", err.text);
}

/* ---- data sets ----------------------------------------------------------------------------- */

static omt_dataset dataset;

/* Two data sets of `count` texts each, pair i being query i and passage i / shared; with negatives
 * when there are any in `negatives`. */
static void write_lists(int count, int shared, const char *negatives)
{
	char path[600];
	for (int list = 0; list < 3; list++) {
		static const char *const names[] = {"q.jsonl", "p.jsonl", "r.tsv"};
		FILE *to = fopen(scratch_path(names[list]), "w");
		for (int i = 0; i < count; i++)
			if (list < 2)
				fprintf(to, "{\"id\":\"%c%d\",\"text\":\"%s %d\"}\n", "qp"[list], i,
				        list ? "answer" : "question", i);
			else
				fprintf(to, "q%d\t0\tp%d\t1\n", i, i / shared);
		fclose(to);
	}
	if (negatives)
		scratch_text("n.jsonl", negatives);
	snprintf(path, sizeof path, "%s/t.yaml", scratch_folder);
	const char *text = negatives ? "model: m\noutput: o\nsteps: 5\nbatch: 4\ndata:\n"
	                               "  - {name: a, queries: q.jsonl, passages: p.jsonl, qrels: "
	                               "r.tsv, negatives: n.jsonl, weight: 3}\n"
	                               "  - {name: b, queries: q.jsonl, passages: p.jsonl, qrels: "
	                               "r.tsv}\n"
	                             : "model: m\noutput: o\nsteps: 5\nbatch: 4\ndata:\n"
	                               "  - {name: a, queries: q.jsonl, passages: p.jsonl, qrels: "
	                               "r.tsv}\n";
	cr_assert_eq(omt_train_settings_parse(path, text, strlen(text), NULL, 0, &settings, &err),
	             OMT_OK, "%s", err.text);
}

static void open_lists(int count, int shared, const char *negatives)
{
	write_lists(count, shared, negatives);
	notes = 0;
	cr_assert_eq(omt_dataset_open(&settings, &counting, &dataset, &err), OMT_OK, "%s",
	             err.text);
}

static void close_lists(void)
{
	omt_dataset_close(&dataset);
	omt_train_settings_free(&settings);
}

Test(train_data, sets_share_lists_and_leave_out_what_is_unknown)
{
	open_lists(5, 1,
	           "{\"query\":\"q1\",\"negatives\":[{\"id\":\"p3\",\"score\":0.5},"
	           "{\"id\":\"p1\"},{\"id\":\"p0\"},{\"id\":\"none\"}]}\n"
	           "{\"query\":\"nobody\",\"negatives\":[{\"id\":\"p3\"}]}\n");
	cr_expect_eq(dataset.catalog_count, 2);
	cr_expect_eq(notes, 1);
	const omt_train_set *set = &dataset.sets[0];
	cr_expect_eq(set->count, 5);
	cr_expect_eq(set->starts[1], 0);
	cr_expect_eq(set->starts[2], 2);
	cr_expect_eq(set->negatives[0], 3);
	cr_expect_eq(set->negatives[1], 0);
	cr_expect(omt_train_set_relevant(set, 1, 1));
	cr_expect_not(omt_train_set_relevant(set, 1, 2));
	json_t *values = omt_dataset_values(&dataset);
	cr_expect_str_neq(
		json_string_value(json_object_get(json_object_get(values, "a"), "digest")),
		json_string_value(json_object_get(json_object_get(values, "b"), "digest")));
	json_decref(values);
	close_lists();
}

Test(train_data, an_empty_set_is_refused)
{
	write_lists(5, 1, NULL);
	scratch_text("r.tsv", "q1\t0\tnone\t1\nq2\t0\tp2\t0\n");
	cr_expect_eq(omt_dataset_open(&settings, NULL, &dataset, &err), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "data set \"a\" is empty"), "%s", err.text);
	omt_train_settings_free(&settings);
}

Test(train_data, negatives_that_are_broken_are_named)
{
	static const char *const broken[][2] = {
		{"{\"query\":\"q1\"}\n", "n.jsonl:1: no \"negatives\""},
		{"\n{\"negatives\":[]}\n", "n.jsonl:2: no \"query\""},
		{"{\"query\":\"q1\",\"negatives\":[{}]}\n", "negatives[0] has no id"},
		{"{\"query\":\"q1\",\"negatives\":[]}\n{\"query\":\"q1\",\"negatives\":[]}\n",
	         "n.jsonl:2: query \"q1\" for the second time"},
		{"{\"query\":\"q1\",\"pair\":\"text:image\",\"negatives\":[]}\n"
	         "{\"query\":\"q1\",\"pair\":\"text:image\",\"negatives\":[]}\n",
	         "n.jsonl:2: query \"q1\" of pair text:image for the second time"},
		{"[]\n", "n.jsonl:1: not an object"},
	};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		write_lists(3, 1, broken[i][0]);
		cr_expect_eq(omt_dataset_open(&settings, NULL, &dataset, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, broken[i][1]), "%s: %s", broken[i][1],
		                   err.text);
		omt_train_settings_free(&settings);
	}
}

/* As `omnitile mine --pairs` writes them: in turns, a passage once. */
Test(train_data, negatives_of_several_pairs)
{
	write_lists(6, 1,
	            "{\"query\":\"q1\",\"pair\":\"text:text\",\"negatives\":[{\"id\":\"p2\"},"
	            "{\"id\":\"p3\"},{\"id\":\"p0\"}]}\n"
	            "{\"query\":\"q4\",\"negatives\":[{\"id\":\"p0\"}]}\n"
	            "{\"query\":\"q1\",\"pair\":\"any:any\",\"negatives\":[{\"id\":\"p5\"},"
	            "{\"id\":\"p2\"}]}\n");
	cr_assert_eq(omt_dataset_open(&settings, NULL, &dataset, &err), OMT_OK, "%s", err.text);
	static const uint32_t starts[] = {0, 0, 4, 4, 4, 5, 5}, negatives[] = {2, 5, 3, 0, 0};
	cr_expect_eq(memcmp(dataset.sets[0].starts, starts, sizeof starts), 0);
	cr_expect_eq(memcmp(dataset.sets[0].negatives, negatives, sizeof negatives), 0);
	close_lists();
}

/* ---- samplers ------------------------------------------------------------------------------ */

/* A batch: its set, and each pair counted. */
static uint32_t draw_batch(omt_sampler *sampler, int32_t queries, int *seen)
{
	uint32_t set = 0, pair;
	cr_assert_eq(omt_sampler_begin(sampler, queries, &err), OMT_OK);
	for (int32_t i = 0; i < queries; i++) {
		const uint32_t before = set;
		omt_sampler_next(sampler, &set, &pair);
		cr_expect(!i || set == before || !sampler->same_dataset);
		seen[pair]++;
		omt_sampler_keep(sampler, set, pair);
	}
	return set;
}

Test(train_data, an_epoch_has_every_pair_once)
{
	int seen[20] = {0};
	omt_sampler sampler;
	open_lists(20, 1, NULL);
	cr_assert_eq(omt_sampler_open(&dataset, 3, true, &sampler, &err), OMT_OK);
	for (int batch = 0; batch < 5; batch++)
		draw_batch(&sampler, 4, seen);
	for (int i = 0; i < 20; i++)
		cr_expect_eq(seen[i], 1, "%d: %d", i, seen[i]);
	omt_sampler_close(&sampler);
	close_lists();
}

Test(train_data, equal_positives_are_kept_apart_and_sets_come_by_weight)
{
	int all[40] = {0}, sets[2] = {0};
	omt_sampler sampler;
	open_lists(40, 4, "{\"query\":\"q1\",\"negatives\":[{\"id\":\"p30\"}]}\n");
	cr_assert_eq(omt_sampler_open(&dataset, 3, true, &sampler, &err), OMT_OK);
	for (int batch = 0; batch < 400; batch++) {
		int seen[40] = {0}, positives[10] = {0};
		sets[draw_batch(&sampler, 5, seen)]++;
		for (int i = 0; i < 40; i++) {
			positives[i / 4] += seen[i];
			all[i] += seen[i];
		}
		for (int i = 0; i < 10; i++)
			cr_expect_leq(positives[i], 1, "batch %d", batch);
	}
	cr_expect(sets[0] > 270 && sets[0] < 330, "%d of 400 at weight 3 to 1", sets[0]);
	for (int i = 0; i < 40; i++)
		cr_expect(all[i] >= 46 && all[i] <= 54, "pair %d: %d times", i, all[i]);
	omt_sampler_close(&sampler);
	close_lists();
}

Test(train_data, a_sampler_goes_on_from_its_state)
{
	int seen[40] = {0};
	omt_sampler one, other;
	open_lists(40, 4, "{\"query\":\"q1\",\"negatives\":[{\"id\":\"p30\"}]}\n");
	for (int same = 0; same < 2; same++) {
		cr_assert_eq(omt_sampler_open(&dataset, 3, same, &one, &err), OMT_OK);
		cr_assert_eq(omt_sampler_open(&dataset, 3, same, &other, &err), OMT_OK);
		for (int batch = 0; batch < 23; batch++)
			draw_batch(&one, 7, seen);
		json_t *state = omt_sampler_state(&one);
		cr_assert_eq(omt_sampler_resume(&other, (omt_json){"state", state}, &err), OMT_OK,
		             "%s", err.text);
		for (int batch = 0; batch < 30; batch++) {
			int a[40] = {0}, b[40] = {0};
			cr_expect_eq(draw_batch(&one, 7, a), draw_batch(&other, 7, b));
			cr_expect_arr_eq(a, b, sizeof a);
		}
		json_object_set_new(state, "walks", json_array());
		cr_expect_eq(omt_sampler_resume(&other, (omt_json){"state", state}, &err),
		             OMT_BAD_FORMAT);
		json_decref(state);
		omt_sampler_close(&one);
		omt_sampler_close(&other);
	}
	close_lists();
}

/* ---- batches ------------------------------------------------------------------------------- */

static int skips;

static void count_skip(void *user, omt_item_key key, const omt_error *why)
{
	(void)user;
	(void)key;
	cr_expect_not_null(strstr(why->text, "p.jsonl:2: "), "%s", why->text);
	skips++;
}

/* Passage 1 is a picture that is not there; who has it as positive or negative does without. */
static void check_draws(size_t bytes)
{
	omt_store *store;
	omt_sampler sampler, ahead;
	omt_draw draw;
	cr_assert_eq(omt_store_open(model, &dataset, 8192, 2, bytes, &store, &err), OMT_OK);
	cr_assert_eq(omt_sampler_open(&dataset, 3, false, &sampler, &err), OMT_OK);
	cr_assert_eq(omt_sampler_open(&dataset, 3, false, &ahead, &err), OMT_OK);
	cr_assert_eq(omt_draw_open(&dataset, store, 4, 1, &draw, &err), OMT_OK);
	for (int batch = 0; batch < 12; batch++) {
		omt_sampler_copy(&ahead, &sampler);
		cr_assert_eq(omt_draw_hint(&draw, &ahead, &err), OMT_OK);
		cr_assert_eq(omt_draw_make(&draw, &sampler, count_skip, NULL, &err), OMT_OK, "%s",
		             err.text);
		cr_expect_eq(draw.query_count, 4);
		for (int32_t i = 0; i < draw.query_count; i++) {
			const omt_draw_query *query = &draw.queries[i];
			const int32_t first = draw.starts[i], count = draw.starts[i + 1] - first;
			const bool mined = query->set == 0 && query->number == 0;
			cr_expect_neq(query->number, 1);
			cr_expect_eq((uint32_t)draw.passage_keys[first], query->number);
			cr_expect_eq(count, 1 + mined);
			if (mined)
				cr_expect_eq((uint32_t)draw.passage_keys[first + 1], 4);
		}
		for (int32_t i = 0; i < draw.item_count; i++)
			for (int32_t j = 0; j < i; j++)
				cr_expect_neq(draw.keys[i], draw.keys[j]);
	}
	omt_draw_close(&draw);
	const omt_store_counts counts = omt_store_count(store);
	cr_expect_eq(counts.failed, 1);
	if (bytes)
		cr_expect_leq(counts.prepared, 12);
	else
		cr_expect(counts.prepared > 24, "%d", (int)counts.prepared);
	omt_sampler_close(&sampler);
	omt_sampler_close(&ahead);
	omt_store_close(store);
}

Test(train_data, a_batch_does_without_what_cannot_be_made)
{
	write_lists(6, 1,
	            "{\"query\":\"q0\",\"negatives\":[{\"id\":\"p1\"},{\"id\":\"p4\"},"
	            "{\"id\":\"p5\"}]}\n");
	scratch_text("p.jsonl",
	             "{\"id\":\"p0\",\"text\":\"a\"}\n{\"id\":\"p1\",\"image\":\"none.png\"}\n"
	             "{\"id\":\"p2\",\"text\":\"c\"}\n{\"id\":\"p3\",\"text\":\"d\"}\n"
	             "{\"id\":\"p4\",\"text\":\"e\"}\n{\"id\":\"p5\",\"text\":\"f\"}\n");
	cr_assert_eq(omt_dataset_open(&settings, NULL, &dataset, &err), OMT_OK, "%s", err.text);
	check_draws((size_t)1 << 30);
	check_draws(0);
	cr_expect_eq(skips, 2, "%d", skips);
	close_lists();
}

static void note_skip(void *user, omt_item_key key, const omt_error *why)
{
	(void)user;
	(void)key;
	cr_expect_not_null(strstr(why->text, ".png"), "%s", why->text);
}

Test(train_data, a_set_of_which_nothing_can_be_used_ends_the_run)
{
	omt_store *store;
	omt_sampler sampler;
	omt_draw draw;
	write_lists(2, 1, NULL);
	scratch_text("p.jsonl", "{\"id\":\"p0\",\"image\":\"no.png\"}\n"
	                        "{\"id\":\"p1\",\"image\":\"none.png\"}\n");
	cr_assert_eq(omt_dataset_open(&settings, NULL, &dataset, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_store_open(model, &dataset, 8192, 1, 0, &store, &err), OMT_OK);
	cr_assert_eq(omt_sampler_open(&dataset, 3, true, &sampler, &err), OMT_OK);
	cr_assert_eq(omt_draw_open(&dataset, store, 4, 0, &draw, &err), OMT_OK);
	cr_expect_eq(omt_draw_make(&draw, &sampler, note_skip, NULL, &err), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "none of its samples can be used"), "%s", err.text);
	omt_draw_close(&draw);
	omt_sampler_close(&sampler);
	omt_store_close(store);
	close_lists();
}
