#include "bench/results.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define MAX_BYTES ((size_t)1 << 30)

/* One line of a file of records. */
static omt_status read_line(const char *path, size_t number, const char *line, size_t bytes,
                            json_t **record, omt_error *err)
{
	char place[400];
	snprintf(place, sizeof place, "%.380s:%zu", path, number);
	OMT_TRY(omt_json_parse(place, line, bytes, record, err));
	if (json_is_object(*record))
		return OMT_OK;
	json_decref(*record);
	*record = NULL;
	return OMT_FAIL(err, BAD_FORMAT, "%s: not a record", place);
}

/* Gives each whole line's record to `put`; *whole becomes the length of the whole lines. */
static omt_status read_lines(const char *path, const char *text, size_t bytes, size_t *whole,
                             void (*put)(void *user, json_t *record), void *user, omt_error *err)
{
	size_t number = 1;
	*whole = 0;
	for (const char *end; (end = memchr(text + *whole, '\n', bytes - *whole)); number++) {
		const size_t length = (size_t)(end - text) - *whole;
		json_t *record = NULL;
		if (length) {
			OMT_TRY(read_line(path, number, text + *whole, length, &record, err));
			put(user, record);
			json_decref(record);
		}
		*whole += length + 1;
	}
	return OMT_OK;
}

static void put_key(void *user, json_t *record)
{
	omt_bench_results *results = user;
	const char *key = json_string_value(json_object_get(record, "key"));
	if (key)
		json_object_set_new(results->keys, key, json_true());
}

static omt_status write_all(int fd, const char *text, size_t bytes)
{
	while (bytes) {
		const ssize_t wrote = write(fd, text, bytes);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote <= 0)
			return OMT_IO;
		text += wrote;
		bytes -= (size_t)wrote;
	}
	return fsync(fd) == 0 ? OMT_OK : OMT_IO;
}

/* The end of a killed run: a record that lacks but its line feed is whole, anything else that
 * begins as a record does is cut off. What begins otherwise is not ours to cut. */
static omt_status mend(omt_bench_results *results, const char *tail, size_t bytes,
                       const omt_progress *progress, omt_error *err)
{
	static const char begin[] = "{\"record\":";
	const size_t known = bytes < sizeof begin - 1 ? bytes : sizeof begin - 1;
	json_t *record = json_loadb(tail, bytes, 0, NULL);
	if (!bytes)
		return OMT_OK;
	if (json_is_object(record)) {
		put_key(results, record);
		json_decref(record);
		results->bytes += (int64_t)bytes + 1;
		return write_all(results->fd, "\n", 1);
	}
	json_decref(record);
	if (strncmp(tail, begin, known) != 0)
		return OMT_FAIL(err, BAD_FORMAT, "%s: its last line is no record: not appended to",
		                results->path);
	omt_note(progress, "%.300s: a torn last line is cut off (%zu bytes)", results->path, bytes);
	return ftruncate(results->fd, results->bytes) == 0 ? OMT_OK : OMT_IO;
}

static omt_status open_for_writing(omt_bench_results *results, omt_error *err)
{
	const char *path = results->path;
	results->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (results->fd < 0)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	if (flock(results->fd, LOCK_EX | LOCK_NB) != 0)
		return OMT_FAIL(err, IO, "%s: another run writes it", path);
	omt_path_sync(path);
	return OMT_OK;
}

omt_status omt_bench_results_open(const char *path, bool to_write, const omt_progress *progress,
                                  omt_bench_results *results, omt_error *err)
{
	omt_status status = OMT_OK;
	char *text = NULL;
	size_t bytes, whole;
	*results = (omt_bench_results){.path = path, .fd = -1, .keys = json_object()};
	if (!path || (!to_write && !omt_file_exists(path)))
		return OMT_OK;
	if (to_write)
		OMT_GOTO(open_for_writing(results, err));
	OMT_GOTO(omt_file_read(path, MAX_BYTES, &text, &bytes, err));
	OMT_GOTO(read_lines(path, text, bytes, &whole, put_key, results, err));
	results->bytes = (int64_t)whole;
	if (to_write)
		status = mend(results, text + whole, bytes - whole, progress, err);
	if (status == OMT_IO)
		OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
done:
	free(text);
	if (status != OMT_OK)
		omt_bench_results_close(results);
	return status;
}

bool omt_bench_results_have(const omt_bench_results *results, const char *key)
{
	return json_object_get(results->keys, key) != NULL;
}

omt_status omt_bench_results_append(omt_bench_results *results, const json_t *record,
                                    omt_error *err)
{
	char *text = NULL, *line = json_dumps(record, JSON_COMPACT | JSON_REAL_PRECISION(6));
	const int bytes = line ? asprintf(&text, "%s\n", line) : -1;
	omt_status status = OMT_OK;
	free(line);
	if (bytes < 0)
		return OMT_FAIL(err, NO_MEMORY, "the record");
	if (results->fd >= 0 && write_all(results->fd, text, (size_t)bytes) != OMT_OK) {
		status = OMT_FAIL(err, IO, "%s: not appended: %s", results->path, strerror(errno));
		if (ftruncate(results->fd, results->bytes) != 0)
			status = OMT_FAIL(err, IO, "%s: its last line is torn: %s", results->path,
			                  strerror(errno));
	} else {
		results->bytes += bytes;
		put_key(results, (json_t *)(uintptr_t)record);
	}
	free(text);
	return status;
}

void omt_bench_results_close(omt_bench_results *results)
{
	if (results->fd >= 0)
		close(results->fd);
	json_decref(results->keys);
	*results = (omt_bench_results){.fd = -1};
}

/* By key: a later record takes the place of an earlier one; records of old layouts have none. */
static void put_record(void *user, json_t *record)
{
	json_t *records = user, *other;
	size_t i;
	const json_t *key = json_object_get(record, "key");
	json_array_foreach(records, i,
	                   other) if (key && json_equal(json_object_get(other, "key"), key))
	{
		json_array_set(records, i, record);
		return;
	}
	json_array_append(records, record);
}

omt_status omt_bench_records_load(const char *path, json_t **records, omt_error *err)
{
	char *text;
	size_t bytes, whole;
	OMT_TRY(omt_file_read(path, MAX_BYTES, &text, &bytes, err));
	*records = json_array();
	omt_status status = read_lines(path, text, bytes, &whole, put_record, *records, err);
	if (status == OMT_OK && whole < bytes) {
		json_t *last = json_loadb(text + whole, bytes - whole, 0, NULL);
		if (json_is_object(last)) /* a torn line is no record; a whole one lacks its end */
			put_record(*records, last);
		json_decref(last);
	}
	free(text);
	if (status == OMT_OK && !json_array_size(*records))
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no records", path);
	if (status != OMT_OK) {
		json_decref(*records);
		*records = NULL;
	}
	return status;
}
