#include "index/scorer.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "exec/storage.h"
#include "index/score.h"

#define SLOTS       2
#define HOST_PIECES 8 /* a thread, of a block */

typedef struct omt_slot {
	omt_block block;
	omt_buffer *vectors, *scales, *scores;
	omt_buffer *bound, *values, *index; /* of topk */
	float *all;                         /* [rows, ld] */
	float *best;                        /* [queries, kept] */
	int32_t *place;                     /* [queries, kept] */
	float *bounds;                      /* [queries] */
	bool cut;
	uint64_t mark;
} omt_slot;

struct omt_scorer {
	omt_scorer_options o;
	omt_backend_info info;
	size_t ld;           /* of scores */
	omt_buffer *packed;  /* the queries */
	omt_buffer *scales;  /* of the queries, with codes */
	omt_buffer *wide;    /* a block of bf16 vectors as f32 */
	omt_buffer *numbers; /* 0, 1, ...: rows of a block */
	omt_slot slots[SLOTS];
	uint64_t put, taken;
};

/* Values of a row as codes store it. */
static size_t code_stride(int32_t dimension)
{
	return ((size_t)dimension + 3) / 4 * 4;
}

static omt_status make_buffer(omt_scorer *s, size_t bytes, omt_usage usage, const void *content,
                              omt_buffer **buffer, omt_error *err)
{
	OMT_TRY(omt_exec_alloc(s->o.exec, bytes, usage, NULL, buffer, err));
	if (content)
		OMT_TRY(omt_exec_write(s->o.exec, *buffer, 0, content, bytes, NULL, err));
	return OMT_OK;
}

/* ---- queries: the packed weights of gemm ----------------------------------------------------- */

static omt_status pack(omt_scorer *s, omt_buffer *rows, int32_t dtype, size_t stride,
                       omt_error *err)
{
	const size_t panel = (size_t)s->info.panel;
	const size_t filled = (s->o.query_count + panel - 1) / panel * panel;
	/* Depth is rounded up to whole words. */
	OMT_TRY(make_buffer(s, filled * code_stride(s->o.dimension) * omt_dtype_bytes(dtype),
	                    OMT_USAGE_WORK, NULL, &s->packed, err));
	return OMT_RUN(s->o.exec, pack, err, .src = rows, .dst = s->packed,
	               .n = (int32_t)s->o.query_count, .k = s->o.dimension, .lds = (int32_t)stride,
	               .dtype = dtype, .panel = s->info.panel);
}

/* Queries rounded to bf16. */
static omt_status load_halves(omt_scorer *s, omt_buffer **buffer, omt_error *err)
{
	const size_t count = s->o.query_count * (size_t)s->o.dimension;
	uint16_t *halves = malloc(count * sizeof *halves);
	if (!halves)
		return OMT_FAIL(err, NO_MEMORY, "%zu queries", s->o.query_count);
	for (size_t i = 0; i < count; i++)
		halves[i] = omt_bf16_from_f32(s->o.queries[i]);
	omt_status status =
		make_buffer(s, count * sizeof *halves, OMT_USAGE_WORK, halves, buffer, err);
	if (status == OMT_OK)
		status = omt_exec_wait(s->o.exec, 0, err);
	free(halves);
	return status;
}

static omt_status load_queries(omt_scorer *s, omt_error *err)
{
	const size_t count = s->o.query_count, stride = code_stride(s->o.dimension);
	omt_buffer *rows = NULL, *quantized = NULL;
	omt_status status;
	OMT_GOTO(make_buffer(s, count * (size_t)s->o.dimension * sizeof(float), OMT_USAGE_WORK,
	                     s->o.queries, &rows, err));
	if (s->o.precision == OMT_SCORES_CODES) {
		OMT_GOTO(make_buffer(s, count * stride, OMT_USAGE_WORK, NULL, &quantized, err));
		OMT_GOTO(make_buffer(s, count * sizeof(float), OMT_USAGE_WORK, NULL, &s->scales,
		                     err));
		OMT_GOTO(OMT_RUN(s->o.exec, quantize, err, .x = rows, .out = quantized,
		                 .scale = s->scales, .rows = (int32_t)count, .cols = s->o.dimension,
		                 .ldx = s->o.dimension, .ldo = (int32_t)stride));
		OMT_GOTO(pack(s, quantized, OMT_I8X4, stride, err));
	} else if (s->o.precision == OMT_SCORES_BF16) {
		OMT_GOTO(load_halves(s, &quantized, err));
		OMT_GOTO(pack(s, quantized, OMT_BF16X2, (size_t)s->o.dimension, err));
	} else if (s->info.panel > 1) {
		OMT_GOTO(pack(s, rows, OMT_F32, (size_t)s->o.dimension, err));
	} else {
		s->packed = rows;
		rows = NULL;
	}
	OMT_GOTO(omt_exec_wait(s->o.exec, 0, err));
done:
	omt_exec_free(s->o.exec, rows);
	omt_exec_free(s->o.exec, quantized);
	return status;
}

/* What bf16 vectors are expanded with: the op that gathers rows. */
static omt_status make_wide(omt_scorer *s, size_t rows, omt_error *err)
{
	int32_t *numbers = malloc(rows * sizeof *numbers);
	if (!numbers)
		return OMT_FAIL(err, NO_MEMORY, "blocks of %zu vectors", rows);
	for (size_t i = 0; i < rows; i++)
		numbers[i] = (int32_t)i;
	omt_status status;
	OMT_GOTO(make_buffer(s, rows * sizeof *numbers, OMT_USAGE_WORK, numbers, &s->numbers, err));
	OMT_GOTO(make_buffer(s, rows * (size_t)s->o.dimension * sizeof(float), OMT_USAGE_WORK, NULL,
	                     &s->wide, err));
	OMT_GOTO(omt_exec_wait(s->o.exec, 0, err));
done:
	free(numbers);
	return status;
}

/* ---- open and close -------------------------------------------------------------------------- */

static size_t score_bytes(const omt_scorer *s)
{
	return s->o.rows * s->ld * sizeof(float);
}

static size_t kept_bytes(const omt_scorer *s)
{
	return s->o.query_count * s->o.kept * sizeof(float);
}

static size_t bound_bytes(const omt_scorer *s)
{
	return s->o.query_count * sizeof(float);
}

static omt_status make_slot(omt_scorer *s, omt_slot *slot, omt_error *err)
{
	slot->all = calloc(1, score_bytes(s));
	slot->best = calloc(1, kept_bytes(s) + 1);
	slot->place = calloc(1, kept_bytes(s) + 1);
	slot->bounds = calloc(s->o.query_count, sizeof *slot->bounds);
	if (!slot->all || !slot->best || !slot->place || !slot->bounds)
		return OMT_FAIL(err, NO_MEMORY, "scores of %zu vectors for %zu queries", s->o.rows,
		                s->o.query_count);
	if (!s->o.exec)
		return OMT_OK;
	OMT_TRY(make_buffer(s, score_bytes(s), OMT_USAGE_SLOT, NULL, &slot->scores, err));
	if (!s->o.kept)
		return OMT_OK;
	OMT_TRY(make_buffer(s, bound_bytes(s), OMT_USAGE_SLOT, NULL, &slot->bound, err));
	OMT_TRY(make_buffer(s, kept_bytes(s), OMT_USAGE_SLOT, NULL, &slot->values, err));
	return make_buffer(s, kept_bytes(s), OMT_USAGE_SLOT, NULL, &slot->index, err);
}

omt_status omt_scorer_open(const omt_scorer_options *options, omt_scorer **given, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_scorer *s = calloc(1, sizeof *s);
	*given = NULL;
	if (!s)
		return OMT_FAIL(err, NO_MEMORY, "scores of %zu queries", options->query_count);
	*s = (omt_scorer){.o = *options,
	                  .ld = (options->query_count + OMT_SCORE_GROUP - 1) / OMT_SCORE_GROUP *
	                        OMT_SCORE_GROUP};
	if (s->o.exec) {
		omt_exec_info(s->o.exec, &s->info);
		OMT_GOTO(load_queries(s, err));
	}
	for (size_t i = 0; i < SLOTS; i++)
		OMT_GOTO(make_slot(s, &s->slots[i], err));
	*given = s;
	s = NULL;
done:
	omt_scorer_close(s);
	return status;
}

static void free_block(omt_scorer *s, size_t slot)
{
	omt_exec_free(s->o.exec, s->slots[slot].vectors);
	omt_exec_free(s->o.exec, s->slots[slot].scales);
	s->slots[slot].vectors = s->slots[slot].scales = NULL;
}

void omt_scorer_close(omt_scorer *s)
{
	if (!s)
		return;
	if (s->o.exec)
		(void)omt_exec_wait(s->o.exec, 0, NULL);
	for (size_t i = 0; i < SLOTS; i++) {
		free(s->slots[i].all);
		free(s->slots[i].best);
		free(s->slots[i].place);
		free(s->slots[i].bounds);
		if (!s->o.exec)
			continue;
		free_block(s, i);
		omt_exec_free(s->o.exec, s->slots[i].scores);
		omt_exec_free(s->o.exec, s->slots[i].bound);
		omt_exec_free(s->o.exec, s->slots[i].values);
		omt_exec_free(s->o.exec, s->slots[i].index);
	}
	if (s->o.exec) {
		omt_exec_free(s->o.exec, s->packed);
		omt_exec_free(s->o.exec, s->scales);
		omt_exec_free(s->o.exec, s->wide);
		omt_exec_free(s->o.exec, s->numbers);
	}
	free(s);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static size_t row_bytes(const omt_scorer *s, const omt_vector_set *set)
{
	return s->o.precision == OMT_SCORES_CODES
	               ? code_stride(s->o.dimension)
	               : (size_t)s->o.dimension * omt_dtype_bytes(set->dtype);
}

typedef struct omt_piece_of_block {
	const omt_scorer *s;
	const omt_block *block;
	float *scores;
	size_t rows; /* a piece */
} omt_piece_of_block;

static void score_piece(void *user, size_t i)
{
	const omt_piece_of_block *piece = user;
	const omt_scorer *s = piece->s;
	const omt_vector_set *set = piece->block->set;
	const size_t bytes = row_bytes(s, set), end = (i + 1) * piece->rows;
	const uint8_t *data = (const uint8_t *)set->data + (size_t)piece->block->first * bytes;
	for (size_t row = i * piece->rows; row < end && row < piece->block->rows; row++)
		for (size_t q = 0; q < s->o.query_count; q++)
			piece->scores[row * s->ld + q] =
				omt_score(s->o.queries + q * (size_t)s->o.dimension,
			                  data + row * bytes, set->dtype, s->o.dimension);
}

static void score_on_host(const omt_scorer *s, const omt_block *block, float *scores)
{
	const int32_t threads = s->o.threads > 0 ? s->o.threads : omt_parallel_cores();
	const size_t pieces = (size_t)threads * HOST_PIECES;
	omt_piece_of_block piece = {s, block, scores, (block->rows + pieces - 1) / pieces};
	if (block->rows)
		omt_parallel(threads, (block->rows + piece.rows - 1) / piece.rows, score_piece,
		             &piece);
}

/* bf16 vectors to f32 in s->wide. */
static omt_status widen(omt_scorer *s, omt_buffer *vectors, size_t rows, omt_error *err)
{
	return OMT_RUN(s->o.exec, rows, err, .src = vectors, .src_index = s->numbers,
	               .dst_index = s->numbers, .dst = s->wide, .count = (int32_t)rows,
	               .cols = s->o.dimension, .lds = s->o.dimension, .ldd = s->o.dimension,
	               .src_dtype = OMT_BF16, .src_rows = (int32_t)rows);
}

static omt_status multiply(omt_scorer *s, size_t slot, omt_error *err)
{
	const omt_block *block = &s->slots[slot].block;
	omt_buffer *vectors = s->slots[slot].vectors, *scores = s->slots[slot].scores;
	const int32_t m = (int32_t)block->rows, n = (int32_t)s->o.query_count, ld = (int32_t)s->ld;
	if (s->o.precision == OMT_SCORES_CODES)
		return OMT_RUN(s->o.exec, gemm_i8, err, .a = vectors,
		               .a_scale = s->slots[slot].scales, .w = s->packed, .scale = s->scales,
		               .bias = s->scales, .residual = s->scales, .c = scores, .m = m,
		               .n = n, .k = s->o.dimension,
		               .lda = (int32_t)code_stride(s->o.dimension), .ldr = ld, .ldc = ld,
		               .w_panel = s->info.panel);
	if (block->set->dtype == OMT_BF16) {
		OMT_TRY(widen(s, vectors, block->rows, err));
		vectors = s->wide;
	}
	if (s->o.precision == OMT_SCORES_BF16)
		return OMT_RUN(s->o.exec, gemm_bf16, err, .a = vectors, .w = s->packed,
		               .bias = s->packed, .residual = s->packed, .c = scores, .m = m,
		               .n = n, .k = s->o.dimension, .lda = s->o.dimension, .ldr = ld,
		               .ldc = ld, .w_panel = s->info.panel);
	return OMT_RUN(s->o.exec, gemm, err, .a = vectors, .w = s->packed, .scale = s->packed,
	               .bias = s->packed, .residual = s->packed, .c = scores, .m = m, .n = n,
	               .k = s->o.dimension, .lda = s->o.dimension, .ldw = s->o.dimension, .ldr = ld,
	               .ldc = ld, .w_dtype = OMT_F32, .w_panel = s->info.panel);
}

static omt_status read_all(omt_scorer *s, omt_slot *slot, omt_error *err)
{
	return omt_exec_read(s->o.exec, slot->scores, 0, slot->all,
	                     slot->block.rows * s->ld * sizeof(float), &slot->mark, err);
}

/* A query's scores are a column of the block's. */
static omt_status cut(omt_scorer *s, omt_slot *slot, const float *bounds, omt_error *err)
{
	const int32_t kept = (int32_t)s->o.kept;
	memcpy(slot->bounds, bounds, bound_bytes(s));
	OMT_TRY(omt_exec_write(s->o.exec, slot->bound, 0, slot->bounds, bound_bytes(s), NULL, err));
	OMT_TRY(OMT_RUN(s->o.exec, topk, err, .x = slot->scores, .bound = slot->bound,
	                .values = slot->values, .index = slot->index,
	                .rows = (int32_t)s->o.query_count, .cols = (int32_t)slot->block.rows,
	                .ldx = 1, .stride = (int32_t)s->ld, .k = kept, .ldo = kept, .bounded = 1));
	OMT_TRY(omt_exec_read(s->o.exec, slot->values, 0, slot->best, kept_bytes(s), NULL, err));
	return omt_exec_read(s->o.exec, slot->index, 0, slot->place, kept_bytes(s), &slot->mark,
	                     err);
}

static omt_status put_on_device(omt_scorer *s, size_t slot, const float *bounds, omt_error *err)
{
	const omt_block *block = &s->slots[slot].block;
	const omt_vector_set *set = block->set;
	const size_t bytes = row_bytes(s, set);
	const uint8_t *data =
		s->o.precision == OMT_SCORES_CODES ? (const uint8_t *)set->codes : set->data;
	free_block(s, slot);
	if (set->dtype == OMT_BF16 && s->o.precision != OMT_SCORES_CODES && !s->wide)
		OMT_TRY(make_wide(s, s->o.rows, err));
	OMT_TRY(omt_exec_alloc(s->o.exec, block->rows * bytes, OMT_USAGE_WEIGHT,
	                       data + (size_t)block->first * bytes, &s->slots[slot].vectors, err));
	if (s->o.precision == OMT_SCORES_CODES)
		OMT_TRY(omt_exec_alloc(s->o.exec, block->rows * sizeof(float), OMT_USAGE_WEIGHT,
		                       set->scales + block->first, &s->slots[slot].scales, err));
	OMT_TRY(multiply(s, slot, err));
	return s->slots[slot].cut ? cut(s, &s->slots[slot], bounds, err)
	                          : read_all(s, &s->slots[slot], err);
}

omt_status omt_scorer_put(omt_scorer *s, const omt_block *block, const float *bounds,
                          omt_error *err)
{
	const size_t slot = (size_t)(s->put++ % SLOTS);
	s->slots[slot].block = *block;
	s->slots[slot].cut = s->o.kept && bounds;
	if (s->o.exec)
		return put_on_device(s, slot, bounds, err);
	score_on_host(s, block, s->slots[slot].all);
	return OMT_OK;
}

omt_status omt_scorer_take(omt_scorer *s, omt_scores *scores, omt_error *err)
{
	const omt_slot *slot = &s->slots[s->taken++ % SLOTS];
	*scores = (omt_scores){.all = slot->cut ? NULL : slot->all,
	                       .ld = s->ld,
	                       .best = {slot->best, slot->place, s->o.kept, slot->block.rows}};
	return s->o.exec ? omt_exec_wait(s->o.exec, slot->mark, err) : OMT_OK;
}

omt_status omt_scorer_read_all(omt_scorer *s, omt_scores *scores, omt_error *err)
{
	omt_slot *slot = &s->slots[(s->taken - 1) % SLOTS];
	OMT_TRY(read_all(s, slot, err));
	scores->all = slot->all;
	return omt_exec_wait(s->o.exec, slot->mark, err);
}
