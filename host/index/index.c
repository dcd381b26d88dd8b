/* An index file, little endian:
 *     "OMTINDEX", u32 version, u32 CRC-32 of all that follows, u64 bytes of the header
 *     header      JSON: model, dimension, count, left_out, created, id_bytes
 *     ids         JSON: [[id, row of the vector file], ...]
 *     zeros       up to a multiple of 64
 *     vectors     f32 [count, dimension] */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libavutil/crc.h>

#include "base/json.h"
#include "base/npy.h"
#include "index/vectors.h"

#define VERSION       1
#define SUMMED        16 /* where that begins which the checksum covers */
#define PREAMBLE      24
#define ALIGNMENT     64
#define MAX_DIMENSION (1 << 20)
#define MAX_COUNT     ((int64_t)1 << 40)
#define BLOCK_ROWS    32 /* scored against every query while they are in the cache */

static const char magic[8] = {'O', 'M', 'T', 'I', 'N', 'D', 'E', 'X'};

struct omt_index {
	char *path;
	omt_map map;
	json_t *header, *ids;
	const float *vectors;
	int64_t count;
	int32_t dimension;
};

/* Continued from the value for what came before, 0 at the start. */
static uint32_t checksum(uint32_t crc, const void *data, size_t bytes)
{
	return ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), ~crc, data, bytes);
}

static size_t padding(size_t at)
{
	return (ALIGNMENT - at % ALIGNMENT) % ALIGNMENT;
}

static void put_little(uint8_t *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_little(const uint8_t *from, int bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

static bool all_finite(const float *values, int64_t count)
{
	for (int64_t i = 0; i < count; i++)
		if (!isfinite(values[i]))
			return false;
	return true;
}

/* ---- building ---------------------------------------------------------------------------- */

static omt_status add_id(const char *place, const char *line, size_t bytes, int64_t row, bool keep,
                         json_t *ids, omt_error *err)
{
	json_t *object;
	OMT_TRY(omt_json_parse(place, line, bytes, &object, err));
	json_t *id = json_object_get(object, "id");
	omt_status status = OMT_OK;
	if (!json_is_string(id) || strlen(json_string_value(id)) != json_string_length(id))
		status = OMT_FAIL(err, BAD_FORMAT, "%s: no id", place);
	else if (keep && json_array_append_new(ids, json_pack("[OI]", id, (json_int_t)row)) != 0)
		status = OMT_FAIL(err, NO_MEMORY, "%s", place);
	json_decref(object);
	return status;
}

/* [id, row] of each row that has a vector, from the ids beside the vector file. */
static omt_status load_ids(const char *path, const omt_npy *npy, json_t *ids, omt_error *err)
{
	const float *vectors = npy->data;
	omt_map map = {0};
	omt_status status;
	int64_t row = 0;
	char place[512], *ids_path = omt_vectors_ids_path(path);
	if (!ids_path)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	OMT_GOTO(omt_map_open(ids_path, &map, err));
	for (size_t at = 0, end; at < map.bytes; at = end + 1, row++) {
		const char *line = (const char *)map.data + at;
		const char *stop = memchr(line, '\n', map.bytes - at);
		end = stop ? (size_t)(stop - (const char *)map.data) : map.bytes;
		snprintf(place, sizeof place, "%s:%lld", ids_path, (long long)row + 1);
		bool keep = row < npy->shape[0] &&
		            all_finite(vectors + row * npy->shape[1], npy->shape[1]);
		OMT_GOTO(add_id(place, line, end - at, row, keep, ids, err));
	}
	if (row != npy->shape[0])
		status = OMT_FAIL(err, BAD_FORMAT, "%s: %lld ids for %lld vectors", ids_path,
		                  (long long)row, (long long)npy->shape[0]);
done:
	omt_map_close(&map);
	free(ids_path);
	return status;
}

static char *make_header(const char *model, const omt_npy *npy, size_t count, size_t id_bytes)
{
	char created[32];
	time_t now = time(NULL);
	struct tm utc;
	strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	json_t *object = json_pack("{ss sI sI sI ss sI}", "model", model, "dimension",
	                           (json_int_t)npy->shape[1], "count", (json_int_t)count,
	                           "left_out", (json_int_t)((size_t)npy->shape[0] - count),
	                           "created", created, "id_bytes", (json_int_t)id_bytes);
	char *header = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	return header;
}

/* What any of these could not write is reported when the output is closed. */
static void put(FILE *stream, uint32_t *crc, const void *data, size_t bytes)
{
	fwrite(data, 1, bytes, stream);
	*crc = checksum(*crc, data, bytes);
}

static omt_status write_index(const char *out, const char *header, const char *id_text,
                              const json_t *ids, const omt_npy *npy, omt_error *err)
{
	static const char zeros[ALIGNMENT];
	const float *vectors = npy->data;
	size_t row_bytes = (size_t)npy->shape[1] * sizeof(float), index;
	size_t header_bytes = strlen(header), id_bytes = strlen(id_text);
	uint8_t preamble[PREAMBLE] = {0};
	uint32_t crc = 0;
	json_t *entry;
	omt_output output;
	OMT_TRY(omt_output_open(out, &output, err));
	memcpy(preamble, magic, sizeof magic);
	put_little(preamble + 8, VERSION, 4);
	put_little(preamble + SUMMED, header_bytes, 8);
	fwrite(preamble, 1, SUMMED, output.stream);
	put(output.stream, &crc, preamble + SUMMED, PREAMBLE - SUMMED);
	put(output.stream, &crc, header, header_bytes);
	put(output.stream, &crc, id_text, id_bytes);
	put(output.stream, &crc, zeros, padding(PREAMBLE + header_bytes + id_bytes));
	json_array_foreach(ids, index, entry)
	{
		json_int_t row = json_integer_value(json_array_get(entry, 1));
		put(output.stream, &crc, vectors + row * npy->shape[1], row_bytes);
	}
	put_little(preamble + 12, crc, 4);
	bool whole = fseek(output.stream, 0, SEEK_SET) == 0 &&
	             fwrite(preamble, 1, PREAMBLE, output.stream) == PREAMBLE;
	omt_status status = omt_output_close(&output, whole, err);
	return whole || status != OMT_OK ? status
	                                 : OMT_FAIL(err, IO, "%s: checksum not written", out);
}

omt_status omt_index_build(const char *vectors_npy, const char *model_id, const char *out,
                           omt_error *err)
{
	omt_npy npy;
	omt_status status;
	char *header = NULL, *id_text = NULL;
	json_t *ids = json_array();
	OMT_GOTO(omt_npy_open(vectors_npy, &npy, err));
	if (npy.type != 'f' || npy.dims != 2 || npy.shape[1] < 1 || npy.shape[1] > MAX_DIMENSION) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an f32 array of [rows, dimension]",
		                  vectors_npy);
		goto done;
	}
	OMT_GOTO(load_ids(vectors_npy, &npy, ids, err));
	id_text = json_dumps(ids, JSON_COMPACT);
	header =
		id_text ? make_header(model_id, &npy, json_array_size(ids), strlen(id_text)) : NULL;
	if (!header) {
		status = OMT_FAIL(err, BAD_ARGUMENT, "%s: no memory, or a model id not in UTF-8",
		                  out);
		goto done;
	}
	status = write_index(out, header, id_text, ids, &npy, err);
done:
	json_decref(ids);
	free(header);
	free(id_text);
	omt_npy_close(&npy);
	return status;
}

/* ---- opening ----------------------------------------------------------------------------- */

static omt_status check_ids(const omt_index *index, omt_error *err)
{
	size_t i;
	json_t *entry;
	if (!json_is_array(index->ids) || json_array_size(index->ids) != (size_t)index->count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an id for each of %lld vectors",
		                index->path, (long long)index->count);
	json_array_foreach(index->ids, i, entry)
	{
		if (!json_is_string(json_array_get(entry, 0)) ||
		    !json_is_integer(json_array_get(entry, 1)))
			return OMT_FAIL(err, BAD_FORMAT, "%s: vector %zu has no id", index->path,
			                i);
	}
	return OMT_OK;
}

/* The header between 16 and the ids; *at becomes the place of the ids. */
static omt_status read_header(omt_index *index, size_t *at, int64_t *id_bytes, omt_error *err)
{
	const uint8_t *data = index->map.data;
	const char *model = NULL;
	size_t bytes = index->map.bytes;
	if (bytes < PREAMBLE || memcmp(data, magic, sizeof magic))
		return OMT_FAIL(err, BAD_FORMAT, "%s: not an index file", index->path);
	if (get_little(data + 8, 4) != VERSION)
		return OMT_FAIL(err, UNSUPPORTED, "%s: index version %llu, expected %d",
		                index->path, (unsigned long long)get_little(data + 8, 4), VERSION);
	uint64_t length = get_little(data + SUMMED, 8);
	if (length > bytes - PREAMBLE)
		return OMT_FAIL(err, BAD_FORMAT, "%s: truncated in its header", index->path);
	if (checksum(0, data + SUMMED, bytes - SUMMED) != get_little(data + 12, 4))
		return OMT_FAIL(err, BAD_FORMAT, "%s: truncated or damaged: the checksum differs",
		                index->path);
	OMT_TRY(omt_json_parse(index->path, (const char *)data + PREAMBLE, (size_t)length,
	                       &index->header, err));
	omt_json in = {index->path, index->header};
	*at = PREAMBLE + (size_t)length;
	OMT_TRY(omt_json_int(in, "dimension", 1, MAX_DIMENSION, &index->dimension, err));
	OMT_TRY(omt_json_int64(in, "count", 0, MAX_COUNT, &index->count, err));
	OMT_TRY(omt_json_int64(in, "id_bytes", 0, (int64_t)(bytes - *at), id_bytes, err));
	OMT_TRY(omt_json_string(in, "model", &model, err));
	if (!index->dimension || !model)
		return OMT_FAIL(err, BAD_FORMAT, "%s: the header lacks %s", index->path,
		                model ? "dimension" : "model");
	return OMT_OK;
}

/* Nothing in the file is believed before it is checked against the bytes that are there. */
static omt_status parse(omt_index *index, omt_error *err)
{
	size_t at = 0;
	int64_t id_bytes = 0;
	OMT_TRY(read_header(index, &at, &id_bytes, err));
	size_t vectors_at = at + (size_t)id_bytes + padding(at + (size_t)id_bytes);
	size_t vector_bytes = (size_t)index->count * (size_t)index->dimension * sizeof(float);
	if (vectors_at > index->map.bytes || vector_bytes != index->map.bytes - vectors_at)
		return OMT_FAIL(err, BAD_FORMAT, "%s: %zu bytes do not hold %lld vectors of %d",
		                index->path, index->map.bytes, (long long)index->count,
		                index->dimension);
	OMT_TRY(omt_json_parse(index->path, (const char *)index->map.data + at, (size_t)id_bytes,
	                       &index->ids, err));
	index->vectors = (const float *)(const void *)(index->map.data + vectors_at);
	return check_ids(index, err);
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
	json_decref(index->header);
	json_decref(index->ids);
	free(index->path);
	free(index);
}

char *omt_index_describe(const omt_index *index)
{
	json_t *object = json_pack("{ss}", "path", index->path);
	char *text = NULL;
	if (object && json_object_update(object, index->header) == 0)
		text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return text;
}

/* ---- searching --------------------------------------------------------------------------- */

/* One order of additions for all rows, which a BLAS does not promise: equal vectors have equal
 * scores, so that ties are ties. */
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

static bool is_worse(const omt_hit *a, const omt_hit *b)
{
	return a->score != b->score ? a->score < b->score : a->row > b->row;
}

static int best_first(const void *a, const void *b)
{
	return is_worse(a, b) - is_worse(b, a);
}

/* Keeps the best k of what is offered: a heap whose root is the worst of them. */
static void offer(omt_hit *heap, size_t *found, size_t k, omt_hit hit)
{
	size_t at = 0, child;
	if (*found < k) {
		for (at = (*found)++; at && is_worse(&hit, &heap[(at - 1) / 2]); at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
	} else if (is_worse(&heap[0], &hit)) {
		for (; (child = 2 * at + 1) < k; at = child) {
			child += child + 1 < k && is_worse(&heap[child + 1], &heap[child]);
			if (!is_worse(&heap[child], &hit))
				break;
			heap[at] = heap[child];
		}
	} else {
		return;
	}
	heap[at] = hit;
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
		found[q] = 0;
		if (!all_finite(queries + q * (size_t)dimension, dimension))
			return OMT_FAIL(err, BAD_ARGUMENT, "query %zu is not finite", q);
	}
	for (int64_t first = 0; first < index->count; first += BLOCK_ROWS) {
		int64_t end = first + BLOCK_ROWS < index->count ? first + BLOCK_ROWS : index->count;
		for (size_t q = 0; q < query_count; q++)
			for (int64_t row = first; row < end; row++) {
				float score =
					inner_product(queries + q * (size_t)dimension,
				                      index->vectors + row * dimension, dimension);
				offer(hits + q * k, &found[q], k,
				      (omt_hit){.row = (uint64_t)row, .score = score});
			}
	}
	for (size_t q = 0; q < query_count; q++) {
		omt_hit *best = hits + q * k;
		qsort(best, found[q], sizeof *best, best_first);
		for (size_t i = 0; i < found[q]; i++) {
			const json_t *entry = json_array_get(index->ids, best[i].row);
			best[i].id = json_string_value(json_array_get(entry, 0));
			best[i].row = (uint64_t)json_integer_value(json_array_get(entry, 1));
		}
	}
	return OMT_OK;
}
