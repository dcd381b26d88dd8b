/* Folders of shards without an engine: what omt_shards_next() gives is put with a vector made of
 * its line, so that every row of the folder tells where it came from. */
#include <sys/stat.h>

#include "index/vectors.h"
#include "tests/unit/scratch.h"

#define LINES       57
#define SHARD_LINES 10

static omt_shards_options options;
static char list_path[512], out[512];

/* Every fifth line is blank, every seventh not JSON, 30 has the id of 3. */
static void write_list(void)
{
	FILE *file = fopen(scratch_path("list.jsonl"), "w");
	for (int line = 1; line <= LINES; line++)
		if (line % 5 == 0)
			fprintf(file, "\n");
		else if (line % 7 == 0)
			fprintf(file, "not json\n");
		else
			fprintf(file, "{\"id\":\"item %d\",\"text\":\"a\"}\n",
			        line == 31 ? 3 : line);
	fclose(file);
}

static void make(void)
{
	scratch_make();
	write_list();
	snprintf(list_path, sizeof list_path, "%s/list.jsonl", scratch_folder);
	snprintf(out, sizeof out, "%s/out", scratch_folder);
	omt_shards_options_init(&options);
	options.folder = out;
	options.list = list_path;
	options.model = "m";
	options.dimension = 2;
	options.shard_lines = SHARD_LINES;
}

static void drop(void)
{
	char command[600];
	snprintf(command, sizeof command, "rm -rf '%s'", scratch_folder);
	cr_expect_eq(system(command), 0);
}

TestSuite(shards, .init = make, .fini = drop);

static omt_shards *open_shards(void)
{
	omt_shards *shards;
	omt_error err;
	cr_assert_eq(omt_shards_open(&options, &shards, &err), OMT_OK, "%s", err.text);
	return shards;
}

static omt_status put(omt_shards *shards, const omt_item *item, omt_error *err)
{
	float vector[2] = {(float)item->line, 1};
	return omt_shards_put(shards,
	                      &(omt_result){.id = item->id,
	                                    .line = item->line,
	                                    .failed = item->failed,
	                                    .vector = vector,
	                                    .dimension = 2},
	                      err);
}

/* Embeds `items` items at most and closes. */
static omt_shards_counts run(int items)
{
	const omt_item *item;
	omt_shards_counts counts;
	omt_error err;
	omt_shards *shards = open_shards();
	while (items-- > 0 && omt_shards_next(shards, &item))
		cr_assert_eq(put(shards, item, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_shards_close(shards, &counts, &err), OMT_OK, "%s", err.text);
	return counts;
}

/* Every line's item stands in the folder, once, in its order, and failed.jsonl has the bad ones. */
static void expect_whole(int failed)
{
	omt_vectors *vectors;
	const omt_vector *row;
	omt_error err;
	char path[600], line[256];
	int bad = 0, told = 0;
	cr_assert_eq(omt_vectors_open(out, &vectors, &err), OMT_OK, "%s", err.text);
	cr_expect_str_eq(omt_vectors_model(vectors), "m");
	for (int i = 1; i <= LINES; i++) {
		if (i % 5 == 0)
			continue;
		cr_assert_eq(omt_vectors_next(vectors, &row, &err), OMT_OK, "%s", err.text);
		cr_assert_not_null(row);
		cr_expect_eq(row->vector == NULL, i % 7 == 0 || i == 31, "line %d", i);
		if (row->vector)
			cr_expect_eq(row->vector[0], (float)i);
		else
			cr_expect_eq(row->line, i);
		bad += row->vector == NULL;
	}
	cr_assert_eq(omt_vectors_next(vectors, &row, &err), OMT_OK, "%s", err.text);
	cr_expect_null(row);
	omt_vectors_close(vectors);
	cr_expect_eq(bad, failed);
	snprintf(path, sizeof path, "%s/failed.jsonl", out);
	FILE *file = fopen(path, "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof line, file)) {
		cr_expect_not_null(strstr(line, "\",\"error\":\""), "%s", line);
		told++;
	}
	fclose(file);
	cr_expect_eq(told, failed);
}

/* Lines 7, 14, 21, 28, 42, 49, 56 (35 is blank), and 31. */
#define FAILED 8

Test(shards, one_start)
{
	omt_shards_counts counts = run(1000);
	cr_expect_eq(counts.lines, LINES);
	cr_expect_eq(counts.shards, 6);
	cr_expect_eq(counts.whole, 6);
	cr_expect_eq(counts.own_whole, 6);
	cr_expect_eq(counts.items, LINES - LINES / 5);
	cr_expect_eq(counts.failed, FAILED);
	cr_expect_eq(counts.todo_lines, LINES);
	cr_expect_eq(counts.done_lines, LINES);
	expect_whole(FAILED);
	counts = run(1000);
	cr_expect_eq(counts.todo_lines, 0);
	cr_expect_eq(counts.items, LINES - LINES / 5);
	expect_whole(FAILED);
}

Test(shards, many_starts_that_end_early)
{
	for (int items = 0; items < 20; items++)
		run(items);
	expect_whole(FAILED);
}

Test(shards, any_number_of_ranks_makes_the_same)
{
	for (int world = 2; world <= 8; world += 3) {
		options.world = world;
		for (int rank = world - 1; rank >= 0; rank--) {
			options.rank = rank;
			run(rank % 2 ? 7 : 1000);
		}
	}
	options.world = 1;
	options.rank = 0;
	run(1000);
	expect_whole(FAILED);
}

Test(shards, ranks_take_all_lines_between_them)
{
	static const int64_t whole[] = {2, 4, 5, 6};
	options.world = 4;
	for (int rank = 0; rank < 4; rank++) {
		options.rank = rank;
		omt_shards_counts counts = run(1000);
		cr_expect_eq(counts.own, rank < 2 ? 2 : 1);
		cr_expect_eq(counts.whole, whole[rank]);
	}
	expect_whole(FAILED);
}

Test(shards, a_shard_of_blank_lines)
{
	scratch_text("list.jsonl", "\n\n\n{\"text\":\"a\"}\n\n\n\n\n");
	options.shard_lines = 2;
	omt_shards_counts counts = run(1000);
	cr_expect_eq(counts.whole, 4);
	cr_expect_eq(counts.items, 1);
	scratch_text("list.jsonl", "");
	options.restart = true;
	counts = run(1000);
	cr_expect_eq(counts.shards, 0);
	cr_expect_eq(counts.items, 0);
}

static void remove_part(const char *name)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", out, name);
	cr_assert_eq(unlink(path), 0, "%s", path);
}

static void write_part(const char *name, const char *text)
{
	char path[600];
	snprintf(path, sizeof path, "%s/%s", out, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

Test(shards, what_is_damaged_is_made_again)
{
	struct stat info;
	run(1000);
	remove_part("vectors-00001.npy");
	remove_part("vectors-00002.ids.jsonl");
	write_part("vectors-00003.npy", "text");
	write_part("vectors-00004.ids.jsonl", "{\"id\":\"a\"}\n");
	write_part("vectors-00005.npy.tmp.1.1", "a killed run's");
	cr_expect_eq(run(1000).todo_lines, 40);
	expect_whole(FAILED);
	char path[600];
	snprintf(path, sizeof path, "%s/vectors-00005.npy.tmp.1.1", out);
	cr_expect_neq(stat(path, &info), 0, "temporary files are removed");
}

Test(shards, failed_items_again)
{
	const omt_item *item;
	omt_shards_counts counts;
	omt_error err;
	bool first = true;
	omt_shards *shards = open_shards();
	while (omt_shards_next(shards, &item)) {
		omt_item copy = *item;
		if (item->line == 12 || item->line == 16 || item->line == 33)
			copy.failed = (omt_error){OMT_IO, "the disk \"said\",\"error\":\"no"};
		cr_assert_eq(put(shards, &copy, &err), OMT_OK);
	}
	cr_assert_eq(omt_shards_close(shards, &counts, &err), OMT_OK);
	cr_expect_eq(counts.failed, FAILED + 3);
	cr_expect_eq(run(1000).failed, FAILED + 3);
	options.retry_failed = true;
	shards = open_shards();
	while (omt_shards_next(shards, &item)) {
		cr_expect(item->failed.status != OMT_OK || item->line == 12 || item->line == 16 ||
		          item->line == 33);
		cr_expect(!first || item->line == 7);
		first = false;
		cr_assert_eq(put(shards, item, &err), OMT_OK, "%s", err.text);
	}
	cr_assert_eq(omt_shards_close(shards, &counts, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(counts.failed, FAILED);
	expect_whole(FAILED);
}

static void expect_mismatch(const char *what)
{
	omt_shards *shards;
	omt_error err;
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_MISMATCH, "%s", what);
	cr_expect_not_null(strstr(err.text, what), "%s: %s", what, err.text);
}

Test(shards, other_settings_are_refused)
{
	run(15);
	options.role = OMT_ROLE_QUERY;
	expect_mismatch("settings.role was \"passage\", now it is \"query\"");
	options.role = OMT_ROLE_PASSAGE;
	options.limits.fps = 1;
	expect_mismatch("settings.fps was 2.0, now it is 1.0");
	options.limits.fps = 2;
	options.limits.frames = OMT_FRAMES_SCENE;
	expect_mismatch("settings.frames was not there, now it is \"scene\"");
	options.limits.frames = OMT_FRAMES_UNIFORM;
	options.limits.scene_threshold = 0.5; /* says nothing of even frames */
	options.limits.subtitles = OMT_SUBTITLES_ON;
	expect_mismatch("settings.subtitles was not there, now it is \"on\"");
	options.limits.subtitles = OMT_SUBTITLES_OFF;
	options.limits.page = true;
	expect_mismatch("settings.page was not there, now it is true");
	options.limits.page = false;
	options.limits.max_characters = 10;
	expect_mismatch("settings.max_characters was not there, now it is 10");
	options.limits.max_characters = 16384;
	options.weights = "int8";
	expect_mismatch("settings.weights was \"stored\"");
	options.weights = NULL;
	options.zeros = true;
	expect_mismatch("settings.vectors was \"computed\", now it is \"zeros\"");
	options.zeros = false;
	options.model = "another";
	expect_mismatch("model was \"m\"");
	options.model = "m";
	options.shard_lines = 11;
	expect_mismatch("shard_lines was 10, now it is 11");
	options.shard_lines = 0;
	options.limits.max_bytes = 1; /* refuses files, changes no vector */
	FILE *list = fopen(list_path, "a");
	fputs(" ", list);
	fclose(list);
	expect_mismatch("list.bytes was");
	options.limits.max_bytes = 1000;
	remove_part("manifest.json");
	expect_mismatch("out: shards without a manifest");
	write_part("vectors-00000.npy.bak", "somebody's");
	options.restart = true;
	cr_expect_eq(run(1000).lines, LINES + 1);
	remove_part("vectors-00000.npy.bak");
	options.restart = false;
	options.shard_lines = 10000; /* the default */
	run(1000);
	expect_whole(FAILED);
}

Test(shards, bad_options)
{
	omt_shards *shards;
	omt_error err;
	options.rank = 1;
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_BAD_ARGUMENT);
	cr_expect_str_eq(err.text, "rank 1 of 1");
	options.world = 2;
	options.restart = true;
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_BAD_ARGUMENT);
	options.restart = false;
	options.list = "-";
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_IO);
	options.list = scratch_folder;
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "not a regular file"), "%s", err.text);
	options.list = list_path;
	options.folder = list_path;
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "not a folder"), "%s", err.text);
	options.folder = "/nowhere/out";
	cr_expect_eq(omt_shards_open(&options, &shards, &err), OMT_IO);
	cr_expect_null(shards);
}

/* An item that no device could compute is not a failed item. */
Test(shards, a_device_that_fails_ends_the_run)
{
	const omt_item *item;
	omt_error err;
	omt_shards *shards = open_shards();
	for (int i = 0; i < 12; i++) {
		cr_assert(omt_shards_next(shards, &item));
		cr_assert_eq(put(shards, item, &err), OMT_OK);
	}
	cr_assert(omt_shards_next(shards, &item));
	omt_item lost = *item;
	lost.failed = (omt_error){OMT_DEVICE, "it burnt"};
	cr_expect_eq(put(shards, &lost, &err), OMT_DEVICE);
	cr_expect_str_eq(err.text, "line 16: it burnt");
	omt_shards_counts counts;
	cr_expect_eq(omt_shards_close(shards, &counts, &err), OMT_OK);
	cr_expect_eq(counts.whole, 1);
	run(1000);
	expect_whole(FAILED);
}

/* A list that is written to while it is read must not leave shards of two lists. */
Test(shards, a_list_that_changes)
{
	const omt_item *item;
	omt_vectors *vectors;
	omt_error err;
	omt_shards *shards = open_shards();
	cr_assert(omt_shards_next(shards, &item));
	cr_assert_eq(put(shards, item, &err), OMT_OK);
	cr_assert_eq(truncate(list_path, 100), 0);
	omt_status status = OMT_OK;
	while (status == OMT_OK && omt_shards_next(shards, &item))
		status = put(shards, item, &err);
	cr_expect_eq(status, OMT_MISMATCH);
	cr_expect_not_null(strstr(err.text, "list.jsonl: changed while it was read"), "%s",
	                   err.text);
	cr_expect_eq(omt_shards_close(shards, NULL, &err), OMT_OK);
	cr_expect_eq(omt_vectors_open(out, &vectors, &err), OMT_BAD_FORMAT);
	cr_expect_not_null(strstr(err.text, "6 of 6 shards are missing"), "%s", err.text);
}
