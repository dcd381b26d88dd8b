#include <stdlib.h>
#include <string.h>

#include "train/tape_private.h"

#define BIT(i) (1u << (i))

/* Buffers whose content an op's backward reads, in the order of the contract; a gemm's depend. */
static const uint32_t needs[OMT_OP_COUNT] = {
	[OMT_OP_attention] = BIT(0) | BIT(1) | BIT(2) | BIT(3), /* q, k, v, cu_seqlens */
	[OMT_OP_rmsnorm] = BIT(0),
	[OMT_OP_layernorm] = BIT(0),
	[OMT_OP_rotary] = BIT(1) | BIT(2), /* cosines, sines */
	[OMT_OP_rows] = BIT(1) | BIT(2),   /* indices */
	[OMT_OP_unfold] = BIT(1) | BIT(2), /* cu_in, cu_out */
	[OMT_OP_pairs] = BIT(1) | BIT(2),
	[OMT_OP_pool] = BIT(1), /* cu_seqlens */
	[OMT_OP_l2norm] = BIT(0),
};

enum { GEMM_A, GEMM_W, GEMM_SCALE, GEMM_BIAS, GEMM_RESIDUAL };

static omt_tape_buffer *buffer_at(const void *args, int32_t i)
{
	return omt_tape_buffer_of(((omt_buffer *const *)args)[i]);
}

uint32_t omt_tape_uses(omt_op op, const void *args)
{
	uint32_t all = BIT(omt_op_infos[op].buffers) - 1;
	if (op != OMT_OP_gemm)
		return all;
	const int32_t flags = ((const omt_gemm_args *)args)->flags;
	all &= flags & OMT_GEMM_SCALE ? ~0u : ~BIT(GEMM_SCALE);
	all &= flags & OMT_GEMM_BIAS ? ~0u : ~BIT(GEMM_BIAS);
	return all & (flags & (OMT_GEMM_RESIDUAL | OMT_GEMM_PRODUCT) ? ~0u : ~BIT(GEMM_RESIDUAL));
}

int32_t omt_tape_out(omt_op op)
{
	int32_t i = 0;
	while (omt_op_infos[op].buffer[i].access == OMT_ACCESS_IN)
		i++;
	return i;
}

/* Whether the op leaves nothing of what the buffer held: not where it writes into it. */
static bool overwrites(omt_op op, const void *args)
{
	return omt_op_infos[op].buffer[omt_tape_out(op)].access == OMT_ACCESS_OUT &&
	       (op != OMT_OP_gemm || ((const omt_gemm_args *)args)->n_first == 0);
}

/* What there is of a buffer that the op may read. */
static size_t bytes_read(omt_op op, const void *args, int32_t i)
{
	const size_t live = buffer_at(args, i)->live, extent = omt_op_extent(op, args, i);
	return live < extent ? live : extent;
}

static bool is_trained(const omt_tape_buffer *buffer)
{
	return buffer->place_count || buffer->lora_count;
}

/* Which gradients the step's backward makes; whether there is anything to do for it. */
static bool find_tracked(omt_tape_step *step)
{
	const uint32_t uses = omt_tape_uses(step->op, &step->args);
	const int32_t out = omt_tape_out(step->op);
	bool trained = false;
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++) {
		const omt_tape_buffer *buffer = buffer_at(&step->args, i);
		if (!(uses & BIT(i)) || omt_op_infos[step->op].buffer[i].access == OMT_ACCESS_OUT)
			continue;
		trained = trained || is_trained(buffer);
		step->tracked |= buffer->tracked ? BIT(i) : 0;
	}
	return trained || step->tracked ||
	       (!overwrites(step->op, &step->args) && buffer_at(&step->args, out)->tracked);
}

static omt_status check_step(const omt_tape_step *step, omt_error *err)
{
	const omt_gemm_args *gemm = (const void *)&step->args;
	if (step->op != OMT_OP_gemm && !needs[step->op])
		return OMT_FAIL(err, UNSUPPORTED, "op %s has no backward",
		                omt_op_infos[step->op].name);
	if (step->op == OMT_OP_gemm &&
	    (gemm->w_panel != 1 || gemm->flags & OMT_GEMM_SCALE ||
	     (gemm->act != OMT_ACT_NONE && gemm->flags & OMT_GEMM_PRODUCT)))
		return OMT_FAIL(err, UNSUPPORTED, "a gemm of this kind has no backward");
	return OMT_OK;
}

/* ---- what is kept ---- */

static omt_status keep_for_backward(omt_record *record, omt_tape_step *step, omt_error *err)
{
	uint32_t wanted = needs[step->op];
	if (step->op == OMT_OP_gemm) {
		const omt_gemm_args *gemm = (const void *)&step->args;
		wanted = is_trained(buffer_at(gemm, GEMM_W)) ? BIT(GEMM_A) : 0;
		wanted |= gemm->flags & OMT_GEMM_PRODUCT ? BIT(GEMM_RESIDUAL) : 0;
	}
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++)
		if (wanted & BIT(i))
			OMT_TRY(omt_tape_keep(record, record->number, buffer_at(&step->args, i),
			                      bytes_read(step->op, &step->args, i),
			                      &step->content[i], err));
	return OMT_OK;
}

static omt_status grow(void *array, size_t count, size_t *capacity, size_t bytes, omt_error *err)
{
	void **at = array;
	if (count < *capacity)
		return OMT_OK;
	const size_t more = *capacity ? 2 * *capacity : 64;
	void *grown = realloc(*at, more * bytes);
	if (!grown)
		return OMT_FAIL(err, NO_MEMORY, "a record of %zu steps", more);
	*at = grown;
	*capacity = more;
	return OMT_OK;
}

static omt_status begin_stretch(omt_record *record, omt_error *err)
{
	omt_tape *tape = record->tape;
	void *tracked;
	OMT_TRY(grow(&record->stretches, record->stretch_count, &record->stretch_capacity,
	             sizeof *record->stretches, err));
	OMT_TRY(omt_tape_take(record, (size_t)tape->activation_count * sizeof(bool), &tracked,
	                      err));
	omt_tape_stretch *stretch = &record->stretches[record->stretch_count++];
	*stretch = (omt_tape_stretch){.first = record->step_count, .tracked = tracked};
	bool *flag = stretch->tracked;
	for (const omt_tape_buffer *b = tape->activations; b; b = b->next)
		*flag++ = b->tracked;
	record->stretch_number = ++tape->numbers;
	record->norms = 0;
	return OMT_OK;
}

/* Buffers that the step reads, those that it writes a part of included. */
static bool reads(const omt_tape_step *step, int32_t i)
{
	return omt_tape_uses(step->op, &step->args) & BIT(i) &&
	       !buffer_at(&step->args, i)->weight &&
	       (omt_op_infos[step->op].buffer[i].access != OMT_ACCESS_OUT ||
	        !overwrites(step->op, &step->args));
}

/* Whether the stretch can have found what the step reads: an op that is not recorded, and will not
 * be run again, may have put it there in between. */
static bool in_stretch(const omt_record *record, const omt_tape_step *step)
{
	const uint64_t number = record->stretch_number;
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++) {
		const omt_tape_buffer *b = buffer_at(&step->args, i);
		if (!reads(step, i) || (b->stretch == number && b->made))
			continue;
		if (b->stretch == number ||
		    (b->kept.scope == number && b->kept.version != b->version))
			return false;
	}
	return true;
}

static omt_status keep_for_stretch(omt_record *record, const omt_tape_step *step, omt_error *err)
{
	const bool norm = step->op == OMT_OP_rmsnorm || step->op == OMT_OP_layernorm;
	if (!record->stretch_count || (norm && record->norms == record->tape->stretch_norms) ||
	    !in_stretch(record, step))
		OMT_TRY(begin_stretch(record, err));
	record->norms += norm;
	const uint64_t number = record->stretch_number;
	omt_tape_stretch *stretch = &record->stretches[record->stretch_count - 1];
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++) {
		omt_tape_buffer *b = buffer_at(&step->args, i);
		const void *before = b->kept.scope == number ? b->kept.data : NULL, *data;
		if (!reads(step, i) || b->stretch == number)
			continue;
		const size_t bytes = bytes_read(step->op, &step->args, i);
		if (!bytes)
			continue;
		OMT_TRY(omt_tape_keep(record, number, b, bytes, &data, err));
		if (data == before)
			continue;
		void *memory;
		OMT_TRY(omt_tape_take(record, sizeof(omt_tape_content), &memory, err));
		omt_tape_content *content = memory;
		*content = (omt_tape_content){stretch->contents, b, data, bytes};
		stretch->contents = content;
	}
	return OMT_OK;
}

/* ---- running ---- */

/* Bytes of a buffer, from its start, that the op has written. */
static omt_status bytes_written(omt_tape *tape, const omt_tape_step *step, int32_t i, size_t *bytes,
                                omt_error *err)
{
	*bytes = omt_op_extent(step->op, &step->args, i);
	if (step->op != OMT_OP_rows)
		return OMT_OK;
	const omt_rows_args *rows = (const void *)&step->args;
	const void *data;
	OMT_TRY(omt_tape_view(tape, omt_tape_buffer_of(rows->dst_index),
	                      (size_t)rows->count * sizeof(int32_t), &data, err));
	const int32_t *index = data;
	int32_t last = -1;
	for (int32_t row = 0; row < rows->count; row++)
		last = index[row] > last ? index[row] : last;
	*bytes = (size_t)(last + 1) * (size_t)rows->ldd * sizeof(float);
	return OMT_OK;
}

static omt_status note_written(omt_tape *tape, const omt_tape_step *step, bool recorded,
                               omt_error *err)
{
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++) {
		omt_tape_buffer *buffer = buffer_at(&step->args, i);
		size_t bytes = 0;
		if (omt_op_infos[step->op].buffer[i].access == OMT_ACCESS_IN)
			continue;
		if (tape->record)
			OMT_TRY(bytes_written(tape, step, i, &bytes, err));
		omt_tape_wrote(buffer, bytes, overwrites(step->op, &step->args), true);
		buffer->tracked = buffer->made = recorded;
		if (recorded)
			buffer->stretch = tape->record->stretch_number;
	}
	return OMT_OK;
}

static omt_status run_inner(omt_tape *tape, const omt_tape_step *step, uint64_t *mark,
                            omt_error *err)
{
	omt_op_any_args args = step->args;
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++)
		args.buffers[i] = omt_tape_buffer_of(args.buffers[i])->inner;
	return omt_exec_run(tape->inner, step->op, &args, mark, err);
}

omt_status omt_tape_run(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                        omt_error *err)
{
	omt_tape *tape = (omt_tape *)self;
	omt_record *record = tape->record;
	omt_tape_step step = {.op = op};
	memcpy(&step.args, args, omt_op_args_bytes(op));
	const bool recorded = record && find_tracked(&step);
	const bool all = recorded && record->keep == OMT_KEEP_ALL;
	if (recorded) {
		OMT_TRY(check_step(&step, err));
		OMT_TRY(all ? keep_for_backward(record, &step, err)
		            : keep_for_stretch(record, &step, err));
	}
	if (op == OMT_OP_gemm)
		OMT_TRY(omt_tape_gemm(tape, &step, recorded, all, mark, err));
	else
		OMT_TRY(run_inner(tape, &step, mark, err));
	OMT_TRY(note_written(tape, &step, recorded, err));
	if (!recorded)
		return OMT_OK;
	OMT_TRY(grow(&record->steps, record->step_count, &record->step_capacity,
	             sizeof *record->steps, err));
	record->steps[record->step_count++] = step;
	return OMT_OK;
}
