/* An index file: "OMTINDEX", length of the JSON header (u64, little endian), header, ids (JSON
 * array), zeros up to a multiple of 64, vectors f32 [count, dimension]. The header has dimension,
 * count, model, the bytes of the ids and the CRC-32 of the vectors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <libavutil/crc.h>

#include "base/json.h"
#include "base/npy.h"

static const char magic[8] = {'O', 'M', 'T', 'I', 'N', 'D', 'E', 'X'};
#define MAX_TEXT ((int64_t)1 << 40)

struct omt_index {
	char *path, *model;
	omt_map map;
	json_t *ids; /* [[id, row], ...] */
	const float *vectors;
	int64_t count;
	int32_t dimension;
};

static uint32_t checksum(const void *data, size_t bytes)
{
	const AVCRC *table = av_crc_get_table(AV_CRC_32_IEEE_LE);
	return ~av_crc(table, UINT32_MAX, data, bytes);
}

static size_t aligned(size_t at)
{
	return (at + 63) / 64 * 64;
}

/* ---- building
 * --------------------------------------------------------------------------------------- */

/* The ids beside a vector file: one a row, in order. */
static omt_status load_ids(const char *npy_path, int64_t rows, json_t *ids, omt_error *err)
{
	size_t stem = strlen(npy_path), bytes;
	char *text = NULL, *path = malloc(stem + 16), place[512];
	omt_status status = OMT_OK;
	int64_t row = 0;
	if (!path)
		return OMT_FAIL(err, NO_MEMORY, "%s", npy_path);
	stem -= stem > 4 && !strcmp(npy_path + stem - 4, ".npy") ? 4 : 0;
	sprintf(path, "%.*s.ids.jsonl", (int)stem, npy_path);
	OMT_GOTO(omt_file_read(path, (size_t)1 << 34, &text, &bytes, err));
	for (char *line = text, *end; line < text + bytes; line = end + 1, row++) {
		json_t *object;
		const char *id = NULL;
		end = memchr(line, '\n', (size_t)(text + bytes - line));
		end = end ? end : text + bytes;
		snprintf(place, sizeof place, "%s:%lld", path, (long long)row + 1);
		OMT_GOTO(omt_json_parse(place, line, (size_t)(end - line), &object, err));
		status = omt_json_string((omt_json){place, object}, "id", &id, err);
		if (status == OMT_OK && !id)
			status = OMT_FAIL(err, BAD_FORMAT, "%s: no id", place);
		if (status == OMT_OK)
			json_array_append_new(ids, json_string(id));
		json_decref(object);
		if (status != OMT_OK)
			goto done;
	}
	if (row != rows)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: %lld ids for %lld vectors", path,
		                  (long long)row, (long long)rows);
done:
	free(text);
	free(path);
	return status;
}

static omt_status write_index(const char *out, const char *model, const json_t *ids,
                              const float *vectors, int64_t count, int64_t dimension,
                              omt_error *err)
{
	static const char zeros[64];
	omt_output output = {0};
	omt_status status = OMT_OK;
	size_t vector_bytes = (size_t)count * (size_t)dimension * sizeof(float);
	char *id_text = json_dumps(ids, JSON_COMPACT), *header = NULL;
	json_t *object = json_pack("{si sI sI ss sI sI}", "version", 1, "dimension",
	                           (json_int_t)dimension, "count", (json_int_t)count, "model",
	                           model, "id_bytes", (json_int_t)(id_text ? strlen(id_text) : 0),
	                           "crc32", (json_int_t)checksum(vectors, vector_bytes));
	header = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!id_text || !header) {
		status = OMT_FAIL(err, NO_MEMORY, "%s: header", out);
		goto done;
	}
	OMT_GOTO(omt_output_open(out, &output, err));
	uint64_t length = strlen(header);
	uint8_t little[8];
	for (int i = 0; i < 8; i++)
		little[i] = (uint8_t)(length >> (8 * i));
	size_t at = sizeof magic + 8 + length + strlen(id_text);
	fwrite(magic, sizeof magic, 1, output.stream);
	fwrite(little, sizeof little, 1, output.stream);
	fputs(header, output.stream);
	fputs(id_text, output.stream);
	fwrite(zeros, 1, aligned(at) - at, output.stream);
	fwrite(vectors, 1, vector_bytes, output.stream);
	/* omt_output_close() reports what any of these could not write. */
	status = omt_output_close(&output, true, err);
done:
	free(id_text);
	free(header);
	return status;
}

omt_status omt_index_build(const char *vectors_npy, const char *model_id, const char *out,
                           omt_error *err)
{
	omt_npy npy;
	omt_status status = OMT_OK;
	float *kept = NULL;
	int64_t count = 0;
	json_t *ids = json_array(), *kept_ids = json_array();
	OMT_TRY(omt_npy_open(vectors_npy, &npy, err));
	if (npy.type != 'f' || npy.dims != 2 || npy.shape[1] < 1 || npy.shape[1] > 1 << 20) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an f32 array of [rows, dimension]",
		                  vectors_npy);
		goto done;
	}
	OMT_GOTO(load_ids(vectors_npy, npy.shape[0], ids, err));
	kept = malloc((size_t)npy.count * sizeof *kept + 1);
	if (!kept || !kept_ids) {
		status = OMT_FAIL(err, NO_MEMORY, "%s", vectors_npy);
		goto done;
	}
	for (int64_t row = 0; row < npy.shape[0]; row++) {
		const float *from = (const float *)npy.data + row * npy.shape[1];
		bool finite = true;
		for (int64_t i = 0; i < npy.shape[1]; i++)
			finite &= isfinite(from[i]) != 0;
		if (!finite)
			continue;
		memcpy(kept + count++ * npy.shape[1], from, (size_t)npy.shape[1] * sizeof *kept);
		json_array_append_new(kept_ids, json_pack("[OI]", json_array_get(ids, (size_t)row),
		                                          (json_int_t)row));
	}
	OMT_GOTO(write_index(out, model_id, kept_ids, kept, count, npy.shape[1], err));
done:
	json_decref(ids);
	json_decref(kept_ids);
	free(kept);
	omt_npy_close(&npy);
	return status;
}

/* ---- opening
 * ---------------------------------------------------------------------------------------- */

static omt_status parse(omt_index *index, omt_error *err)
{
	const uint8_t *data = index->map.data;
	size_t bytes = index->map.bytes, vector_bytes;
	uint64_t length = 0;
	int64_t id_bytes = -1, crc = -1;
	const char *model = NULL;
	json_t *header = NULL;
	if (bytes < 16 || memcmp(data, magic, sizeof magic))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an index file", index->path);
	for (int i = 0; i < 8; i++)
		length |= (uint64_t)data[8 + i] << (8 * i);
	if (length > bytes - 16)
		return OMT_FAIL(err, BAD_FORMAT, "%s: truncated", index->path);
	omt_status status;
	OMT_GOTO(omt_json_parse(index->path, (const char *)data + 16, length, &header, err));
	omt_json in = {index->path, header};
	OMT_GOTO(omt_json_int(in, "dimension", 1, 1 << 20, &index->dimension, err));
	OMT_GOTO(omt_json_int64(in, "count", 0, MAX_TEXT, &index->count, err));
	OMT_GOTO(omt_json_int64(in, "id_bytes", 0, MAX_TEXT, &id_bytes, err));
	OMT_GOTO(omt_json_int64(in, "crc32", 0, UINT32_MAX, &crc, err));
	OMT_GOTO(omt_json_string(in, "model", &model, err));
	size_t ids_at = 16 + (size_t)length;
	if (!index->dimension || id_bytes < 0 || (size_t)id_bytes > bytes - ids_at || !model) {
		status =
			OMT_FAIL(err, BAD_FORMAT, "%s: truncated, or no index header", index->path);
		goto done;
	}
	size_t vectors_at = aligned(ids_at + (size_t)id_bytes);
	vector_bytes = (size_t)index->count * (size_t)index->dimension * sizeof(float);
	if (vectors_at > bytes || vector_bytes != bytes - vectors_at) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: %lld vectors announced, %zu bytes present",
		                  index->path, (long long)index->count, bytes - vectors_at);
		goto done;
	}
	OMT_GOTO(omt_json_parse(index->path, (const char *)data + ids_at, (size_t)id_bytes,
	                        &index->ids, err));
	index->vectors = (const float *)(const void *)(data + vectors_at);
	index->model = strdup(model);
	if (!json_is_array(index->ids) || json_array_size(index->ids) != (size_t)index->count)
		status = OMT_FAIL(err, BAD_FORMAT, "%s: ids and vectors differ in number",
		                  index->path);
	else if (checksum(index->vectors, vector_bytes) != (uint32_t)crc)
		status =
			OMT_FAIL(err, BAD_FORMAT, "%s: damaged: the checksum differs", index->path);
done:
	json_decref(header);
	return status;
}

omt_status omt_index_open(const char *path, omt_index **given, omt_error *err)
{
	omt_status status;
	omt_index *index = calloc(1, sizeof *index);
	*given = NULL;
	if (!index || !(index->path = strdup(path))) {
		omt_index_close(index);
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	}
	OMT_GOTO(omt_map_open(path, &index->map, err));
	OMT_GOTO(parse(index, err));
	*given = index;
	index = NULL;
done:
	omt_index_close(index);
	return status;
}

void omt_index_close(omt_index *index)
{
	if (!index)
		return;
	omt_map_close(&index->map);
	json_decref(index->ids);
	free(index->model);
	free(index->path);
	free(index);
}

char *omt_index_describe(const omt_index *index)
{
	json_t *object =
		json_pack("{ss ss si sI}", "path", index->path, "model", index->model, "dimension",
	                  index->dimension, "count", (json_int_t)index->count);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return text;
}

/* ---- searching
 * -------------------------------------------------------------------------------------- */

/* One order of additions for all rows: equal vectors have equal scores. */
static float inner_product(const float *a, const float *b, int32_t dimension)
{
	float sums[8] = {0};
	int32_t i = 0;
	for (; i + 8 <= dimension; i += 8)
		for (int32_t j = 0; j < 8; j++)
			sums[j] += a[i + j] * b[i + j];
	for (; i < dimension; i++)
		sums[i % 8] += a[i] * b[i];
	return ((sums[0] + sums[1]) + (sums[2] + sums[3])) +
	       ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

/* Puts a hit into its place among the best `*found` of at most k. */
static void insert(omt_hit *hits, size_t *found, size_t k, uint64_t row, float score)
{
	size_t at = *found;
	if (at == k && !(score > hits[k - 1].score))
		return;
	at = at == k ? k - 1 : at;
	while (at && score > hits[at - 1].score) {
		hits[at] = hits[at - 1];
		at--;
	}
	hits[at] = (omt_hit){.row = row, .score = score};
	*found += *found < k;
}

omt_status omt_index_search(const omt_index *index, const float *queries, size_t query_count,
                            int32_t dimension, size_t k, omt_hit *hits, size_t *found,
                            omt_error *err)
{
	if (dimension != index->dimension)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: vectors of %d values, the query has %d",
		                index->path, index->dimension, dimension);
	if (!k)
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: k is 0", index->path);
	for (size_t q = 0; q < query_count; q++) {
		const float *query = queries + q * (size_t)dimension;
		omt_hit *best = hits + q * k;
		found[q] = 0;
		for (int32_t i = 0; i < dimension; i++)
			if (!isfinite(query[i]))
				return OMT_FAIL(err, BAD_ARGUMENT, "query %zu is not finite", q);
		for (int64_t row = 0; row < index->count; row++)
			insert(best, &found[q], k, (uint64_t)row,
			       inner_product(query, index->vectors + row * dimension, dimension));
		for (size_t i = 0; i < found[q]; i++) {
			const json_t *entry = json_array_get(index->ids, best[i].row);
			best[i].id = json_string_value(json_array_get(entry, 0));
			best[i].row = (uint64_t)json_integer_value(json_array_get(entry, 1));
			if (!best[i].id)
				return OMT_FAIL(err, BAD_FORMAT, "%s: an id is missing",
				                index->path);
		}
	}
	return OMT_OK;
}
