/* Source and sink of a run over a folder of shards. The source (next) is called by the threads that
 * prepare, one at a time, the sink (put) by the calling thread: they share nothing but what
 * open() made, and close() looks at both when the run is over. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "index/list.h"
#include "index/manifest.h"
#include "index/shard_files.h"
#include "index/vectors.h"

#define DEFAULT_LINES 10000
#define READ_BYTES    ((size_t)1 << 20)

/* A shard to be made, or made anew where items failed. */
typedef struct todo {
	int64_t number;
	bool retry;
} todo;

struct omt_shards {
	char *folder, *list_path;
	struct stat list_info; /* when it was digested */
	omt_manifest manifest;
	int32_t rank, world;
	todo *todos;
	size_t todo_count;
	omt_shards_counts counts;

	/* The source's. */
	omt_list *list;
	size_t in;
	int64_t *lines; /* of failed items of todos[lines_of - 1], those that are tried again */
	size_t lines_of, line_count, line_at;
	int64_t line; /* of the item that was read last */
	uint64_t given;
	bool ended;
	omt_error broken;

	/* The sink's. */
	size_t out;
	omt_writer *writer;
	omt_vectors *old;      /* retry: the shard as it was, */
	const omt_vector *row; /* and its first row that is not written yet */
	int64_t rows, failed;  /* written to this shard */
	int64_t lines_before;  /* in the shards that are done */
	uint64_t taken;
};

/* What is not written of the shard is lost. */
static void drop_shard(omt_shards *shards)
{
	omt_writer_close(shards->writer, false, NULL);
	omt_vectors_close(shards->old);
	shards->writer = NULL;
	shards->old = NULL;
	shards->row = NULL;
	shards->rows = shards->failed = 0;
}

static void free_shards(omt_shards *shards)
{
	if (!shards)
		return;
	drop_shard(shards);
	omt_list_close(shards->list);
	omt_manifest_free(&shards->manifest);
	free(shards->lines);
	free(shards->todos);
	free(shards->list_path);
	free(shards->folder);
	free(shards);
}

void omt_shards_options_init(omt_shards_options *options)
{
	*options = (omt_shards_options){.role = OMT_ROLE_PASSAGE, .world = 1};
	omt_limits_init(&options->limits);
}

/* ---- the manifest -------------------------------------------------------------------------- */

typedef struct list_digest {
	json_int_t bytes, lines;
	uint8_t sum[OMT_CHECKSUM_BYTES];
} list_digest;

/* Reads all of it: neither size nor time tell that a list is the same. Lines as omt_list counts. */
static omt_status digest_list(const char *path, FILE *file, list_digest *digest, omt_error *err)
{
	char *buffer = malloc(READ_BYTES), last = '\n';
	omt_hash *hash = omt_hash_new();
	omt_status status = OMT_OK;
	if (!buffer || !hash) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	omt_hash_begin(hash);
	for (size_t got; (got = fread(buffer, 1, READ_BYTES, file)) > 0; last = buffer[got - 1]) {
		omt_hash_add(hash, buffer, got);
		digest->bytes += (json_int_t)got;
		const char *at = buffer, *end = buffer + got;
		for (; (at = memchr(at, '\n', (size_t)(end - at))); at++)
			digest->lines++;
	}
	digest->lines += last != '\n';
	omt_hash_end(hash, digest->sum);
	if (ferror(file))
		status = OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
done:
	omt_hash_free(hash);
	free(buffer);
	return status;
}

/* {"bytes", "lines", "digest"}; given. */
static omt_status describe_list(const char *path, struct stat *info, json_t **described,
                                omt_error *err)
{
	list_digest digest = {0};
	char text[2 * OMT_CHECKSUM_BYTES + 1];
	omt_status status;
	FILE *file = fopen(path, "rbe");
	*described = NULL;
	if (!file)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), info) != 0 || !S_ISREG(info->st_mode))
		status = OMT_FAIL(err, IO,
		                  "%s: not a regular file: shards need a list that can be read "
		                  "again",
		                  path);
	else
		status = digest_list(path, file, &digest, err);
	fclose(file);
	OMT_TRY(status);
	for (int i = 0; i < OMT_CHECKSUM_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest.sum[i]);
	*described = json_pack("{sI sI ss}", "bytes", digest.bytes, "lines", digest.lines, "digest",
	                       text);
	return *described ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", path);
}

/* What changes vectors, and nothing else: limits that only refuse files may differ from start to
 * start. */
static json_t *describe_settings(const omt_shards_options *options)
{
	const omt_limits *l = &options->limits;
	omt_limits usual;
	omt_limits_init(&usual);
	json_t *all = json_pack(
		"{ss ss ss ss sf si si sI sI sI sI sI ss sb sb}", "role",
		omt_list_roles[options->role], "weights",
		options->weights ? options->weights : "stored", "vectors",
		options->zeros ? "zeros" : "computed", "recipe", omt_list_recipes[l->recipe], "fps",
		l->fps, "min_frames", l->min_frames, "max_frames", l->max_frames,
		"image_min_pixels", (json_int_t)l->image_min_pixels, "image_max_pixels",
		(json_int_t)l->image_max_pixels, "video_min_pixels",
		(json_int_t)l->video_min_pixels, "video_max_pixels",
		(json_int_t)l->video_max_pixels, "max_samples", (json_int_t)l->max_samples,
		"use_audio", omt_list_fusions[l->fusion], "exif", l->apply_exif, "content_fps",
		l->content_fps);
	/* What is off is not told: folders of versions that did not know it go on. */
	if (l->page)
		json_object_set_new(all, "page", json_true());
	if (l->frames != OMT_FRAMES_UNIFORM) {
		json_object_set_new(all, "frames", json_string(omt_list_frames[l->frames]));
		json_object_set_new(all, "scene_threshold", json_real(l->scene_threshold));
	}
	if (l->subtitles != OMT_SUBTITLES_OFF) {
		json_object_set_new(all, "subtitles",
		                    json_string(omt_list_subtitles[l->subtitles]));
		json_object_set_new(all, "subtitle_language",
		                    l->subtitle_language ? json_string(l->subtitle_language)
		                                         : json_null());
	}
	if (l->max_characters != usual.max_characters)
		json_object_set_new(all, "max_characters", json_integer(l->max_characters));
	return all;
}

static omt_status make_manifest(omt_shards *shards, const omt_shards_options *options,
                                int64_t shard_lines, omt_error *err)
{
	json_t *list;
	OMT_TRY(describe_list(options->list, &shards->list_info, &list, err));
	json_t *all = json_pack("{si so sI si so so}", "layout", 1, "list", list, "shard_lines",
	                        (json_int_t)shard_lines, "dimension", options->dimension, "model",
	                        options->model ? omt_json_text(options->model) : json_null(),
	                        "settings", describe_settings(options));
	if (!all)
		return OMT_FAIL(err, NO_MEMORY, "%s", options->folder);
	return omt_manifest_parse(options->list, all, &shards->manifest, err);
}

/* Takes the folder's manifest if it is the same as this run's, else makes it. */
static omt_status agree(omt_shards *shards, const omt_shards_options *options, omt_error *err)
{
	omt_manifest there = {0};
	int64_t lines = options->shard_lines;
	omt_status status;
	char *path = omt_manifest_path(shards->folder);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", shards->folder);
	if (options->restart)
		OMT_GOTO(omt_shard_files_remove(shards->folder, err));
	/* In this order: another rank writes its manifest before its shards. */
	const bool any = omt_shard_files_any(shards->folder);
	if (any && !omt_file_exists(path)) {
		status = OMT_FAIL(err, MISMATCH, "%s: shards without a manifest", shards->folder);
		goto done;
	}
	if (omt_file_exists(path)) {
		OMT_GOTO(omt_manifest_load(path, &there, err));
		lines = lines ? lines : there.shard_lines;
	}
	OMT_GOTO(make_manifest(shards, options, lines ? lines : DEFAULT_LINES, err));
	if (!there.all) {
		OMT_GOTO(omt_manifest_create(&shards->manifest, path, err));
		OMT_GOTO(omt_manifest_load(path, &there, err)); /* another rank's, maybe */
	}
	OMT_GOTO(omt_manifest_compare(path, &there, &shards->manifest, err));
done:
	omt_manifest_free(&there);
	free(path);
	return status;
}

/* ---- opening ------------------------------------------------------------------------------- */

static omt_status check(const omt_shards_options *options, omt_error *err)
{
	struct stat info;
	if (options->world < 1 || options->rank < 0 || options->rank >= options->world)
		return OMT_FAIL(err, BAD_ARGUMENT, "rank %d of %d", options->rank, options->world);
	if (options->dimension < 1 || options->shard_lines < 0)
		return OMT_FAIL(err, BAD_ARGUMENT, "shards of %lld lines, vectors of %d values",
		                (long long)options->shard_lines, options->dimension);
	if (options->restart && options->world > 1)
		return OMT_FAIL(err, BAD_ARGUMENT,
		                "%s: ranks cannot restart, each would remove what others made; "
		                "remove the folder first",
		                options->folder);
	if (mkdir(options->folder, 0777) != 0 && errno != EEXIST)
		return OMT_FAIL(err, IO, "%s: %s", options->folder, strerror(errno));
	if (stat(options->folder, &info) == 0 && !S_ISDIR(info.st_mode))
		return OMT_FAIL(err, IO, "%s: not a folder", options->folder);
	return OMT_OK;
}

/* Lines of the list in a shard. */
static int64_t lines_in(const omt_shards *shards, int64_t shard)
{
	int64_t first = shard * shards->manifest.shard_lines;
	int64_t left = shards->manifest.lines - first;
	return left < shards->manifest.shard_lines ? left : shards->manifest.shard_lines;
}

/* Which of this rank's shards are to be made. */
static omt_status find_todos(omt_shards *shards, bool retry, omt_error *err)
{
	omt_shards_counts *counts = &shards->counts;
	const omt_manifest *manifest = &shards->manifest;
	size_t own = (size_t)(manifest->shards / shards->world) + 1;
	shards->todos = malloc(own * sizeof *shards->todos);
	if (!shards->todos)
		return OMT_FAIL(err, NO_MEMORY, "%s: %zu shards", shards->folder, own);
	counts->lines = manifest->lines;
	counts->shards = manifest->shards;
	for (int64_t i = shards->rank; i < manifest->shards; i += shards->world) {
		int64_t rows, failed;
		bool whole =
			omt_shard_whole(shards->folder, i, manifest->dimension, &rows, &failed);
		counts->own++;
		if (whole && !(retry && failed)) {
			counts->own_whole++;
			counts->items += (uint64_t)rows;
			counts->failed += (uint64_t)failed;
			continue;
		}
		shards->todos[shards->todo_count++] = (todo){i, whole};
		counts->todo_lines += lines_in(shards, i);
	}
	return OMT_OK;
}

omt_status omt_shards_open(const omt_shards_options *options, omt_shards **given, omt_error *err)
{
	omt_status status;
	*given = NULL;
	OMT_TRY(check(options, err));
	omt_shards *shards = calloc(1, sizeof *shards);
	if (!shards || !(shards->folder = strdup(options->folder)) ||
	    !(shards->list_path = strdup(options->list))) {
		free_shards(shards);
		return OMT_FAIL(err, NO_MEMORY, "%s", options->folder);
	}
	shards->rank = options->rank;
	shards->world = options->world;
	OMT_GOTO(agree(shards, options, err));
	omt_shard_files_clean(shards->folder, shards->rank, shards->world);
	OMT_GOTO(find_todos(shards, options->retry_failed, err));
	OMT_GOTO(omt_list_open(options->list, options->role, &options->limits, &shards->list, err));
	*given = shards;
	shards = NULL;
done:
	free_shards(shards);
	return status;
}

/* ---- the source ---------------------------------------------------------------------------- */

/* The lines of a whole shard's failed items. */
static omt_status load_lines(omt_shards *shards, omt_error *err)
{
	omt_vectors *old = NULL;
	const omt_vector *row;
	omt_status status;
	char *path = omt_vectors_shard_path(shards->folder, shards->todos[shards->in].number);
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", shards->folder);
	shards->line_count = shards->line_at = 0;
	shards->lines_of = shards->in + 1;
	OMT_GOTO(omt_vectors_open(path, &old, err));
	free(shards->lines);
	shards->lines = calloc((size_t)omt_vectors_rows(old) + 1, sizeof *shards->lines);
	if (!shards->lines) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", path);
		goto done;
	}
	while ((status = omt_vectors_next(old, &row, err)) == OMT_OK && row)
		if (row->error && row->line)
			shards->lines[shards->line_count++] = row->line;
done:
	omt_vectors_close(old);
	free(path);
	return status;
}

/* The first line after `after` whose item is wanted; 0: none, or *err says why. */
static int64_t next_wanted(omt_shards *shards, int64_t after, omt_error *err)
{
	for (; shards->in < shards->todo_count; shards->in++) {
		const todo *at = &shards->todos[shards->in];
		int64_t first = at->number * shards->manifest.shard_lines;
		if (after >= first + lines_in(shards, at->number))
			continue;
		if (!at->retry)
			return after < first ? first + 1 : after + 1;
		if (shards->lines_of != shards->in + 1 && load_lines(shards, err) != OMT_OK)
			return 0;
		while (shards->line_at < shards->line_count &&
		       shards->lines[shards->line_at] <= after)
			shards->line_at++;
		if (shards->line_at < shards->line_count)
			return shards->lines[shards->line_at];
	}
	return 0;
}

/* The list's next item at or after a line; false: there is none, or *err says why. */
static bool read_on(omt_shards *shards, int64_t line, const omt_item **item, omt_error *err)
{
	const int64_t lines = shards->manifest.lines;
	if (omt_list_skip(shards->list, (uint64_t)line - 1, err) != OMT_OK)
		return false;
	bool found = omt_list_next(shards->list, item);
	int64_t at = found ? (int64_t)(*item)->line : (int64_t)omt_list_line(shards->list);
	if (found ? at > lines : at != lines) {
		OMT_FAIL(err, MISMATCH, "%s: changed while it was read: it had %lld lines",
		         shards->list_path, (long long)lines);
		return false;
	}
	return found;
}

bool omt_shards_next(void *user, const omt_item **item)
{
	omt_shards *shards = user;
	omt_error *broken = &shards->broken;
	int64_t wanted;
	while (broken->status == OMT_OK &&
	       (wanted = next_wanted(shards, shards->line, broken)) != 0) {
		if (!read_on(shards, wanted, item, broken))
			break;
		/* Blank lines may lie between: the item need not be the wanted one. */
		shards->line = (int64_t)(*item)->line;
		if (next_wanted(shards, shards->line - 1, broken) == shards->line) {
			shards->given++;
			return true;
		}
	}
	shards->ended = broken->status == OMT_OK;
	return false;
}

/* ---- the sink ------------------------------------------------------------------------------ */

static omt_status open_shard(omt_shards *shards, omt_error *err)
{
	const todo *at = &shards->todos[shards->out];
	char *path = omt_vectors_shard_path(shards->folder, at->number);
	omt_status status;
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", shards->folder);
	OMT_GOTO(omt_writer_open(path, NULL, shards->manifest.dimension, &shards->writer, err));
	if (at->retry) {
		OMT_GOTO(omt_vectors_open(path, &shards->old, err));
		OMT_GOTO(omt_vectors_next(shards->old, &shards->row, err));
	}
done:
	free(path);
	return status;
}

static omt_status put_row(omt_shards *shards, const omt_result *result, omt_error *err)
{
	OMT_TRY(omt_writer_put(shards->writer, result, err));
	shards->rows++;
	shards->failed += result->failed.status != OMT_OK;
	return OMT_OK;
}

/* Rows of the old shard before the one that failed at `line`, which is left out; 0: all rows. */
static omt_status copy_rows(omt_shards *shards, int64_t line, omt_error *err)
{
	bool found = false;
	while (shards->row && !found) {
		const omt_vector *row = shards->row;
		found = line && row->error && row->line == line;
		if (!found) {
			omt_result result = {.id = row->id,
			                     .line = (uint64_t)row->line,
			                     .vector = row->vector,
			                     .dimension = shards->manifest.dimension};
			if (!row->vector)
				OMT_FAIL(&result.failed, MISMATCH, "%s",
				         row->error ? row->error : "not finite");
			OMT_TRY(put_row(shards, &result, err));
		}
		OMT_TRY(omt_vectors_next(shards->old, &shards->row, err));
	}
	return OMT_OK;
}

/* Items of a list that was written to since its digest was taken are of no known list. */
static omt_status check_list(const omt_shards *shards, omt_error *err)
{
	const struct stat *before = &shards->list_info;
	struct stat now;
	if (stat(shards->list_path, &now) != 0)
		return OMT_FAIL(err, IO, "%s: %s", shards->list_path, strerror(errno));
	if (now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
		return OMT_FAIL(err, MISMATCH, "%s: changed while it was read", shards->list_path);
	return OMT_OK;
}

/* Writes the shard that is open, or an empty one. */
static omt_status end_shard(omt_shards *shards, omt_error *err)
{
	omt_shards_counts *counts = &shards->counts;
	OMT_TRY(check_list(shards, err));
	if (!shards->writer)
		OMT_TRY(open_shard(shards, err));
	if (shards->old)
		OMT_TRY(copy_rows(shards, 0, err));
	omt_writer *writer = shards->writer;
	shards->writer = NULL;
	OMT_TRY(omt_writer_close(writer, true, err));
	counts->own_whole++;
	counts->items += (uint64_t)shards->rows;
	counts->failed += (uint64_t)shards->failed;
	shards->lines_before += lines_in(shards, shards->todos[shards->out].number);
	counts->done_lines = shards->lines_before;
	drop_shard(shards);
	shards->out++;
	return OMT_OK;
}

omt_status omt_shards_put(void *user, const omt_result *result, omt_error *err)
{
	omt_shards *shards = user;
	const int64_t line = (int64_t)result->line;
	const int64_t number = (line - 1) / shards->manifest.shard_lines;
	/* No item is to blame: it is tried again at the next start. */
	if (result->failed.status == OMT_DEVICE)
		return OMT_FAIL(err, DEVICE, "line %lld: %.450s", (long long)line,
		                result->failed.text);
	while (shards->out < shards->todo_count && shards->todos[shards->out].number < number)
		OMT_TRY(end_shard(shards, err));
	if (shards->out == shards->todo_count || shards->todos[shards->out].number != number)
		return OMT_FAIL(err, BAD_ARGUMENT, "line %lld: not of this run", (long long)line);
	if (!shards->writer)
		OMT_TRY(open_shard(shards, err));
	if (shards->old)
		OMT_TRY(copy_rows(shards, line, err));
	OMT_TRY(put_row(shards, result, err));
	shards->taken++;
	shards->counts.done_lines =
		shards->lines_before + line - number * shards->manifest.shard_lines;
	return OMT_OK;
}

void omt_shards_count(const omt_shards *shards, omt_shards_counts *counts)
{
	*counts = shards->counts;
}

/* ---- the end ------------------------------------------------------------------------------- */

static omt_status finish(omt_shards *shards, omt_error *err)
{
	omt_shards_counts *counts = &shards->counts;
	if (shards->broken.status != OMT_OK)
		return omt_fail(err, shards->broken.status, "%s", shards->broken.text);
	if (shards->ended && shards->taken == shards->given)
		while (shards->out < shards->todo_count)
			OMT_TRY(end_shard(shards, err));
	drop_shard(shards);
	return omt_shard_files_gather(shards->folder, counts->shards, &counts->whole, err);
}

omt_status omt_shards_close(omt_shards *shards, omt_shards_counts *counts, omt_error *err)
{
	if (!shards)
		return OMT_OK;
	omt_status status = finish(shards, err);
	if (counts)
		*counts = shards->counts;
	free_shards(shards);
	return status;
}
