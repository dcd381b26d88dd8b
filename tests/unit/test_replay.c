/* Work that is done again after a device has stalled, on a device made for it: it computes when it
 * is waited for, and hangs at the op that it is told. */
#include <stdlib.h>
#include <string.h>

#include "exec/backend_host.h"
#include "model/engine_private.h"
#include "tests/unit/card.h"
#include "tests/unit/tiny.h"

enum { MOST_COMMANDS = 1 << 15 };

typedef struct command {
	bool run;
	omt_op op;
	omt_op_any_args args;
	void *to;
	const void *from;
	size_t bytes;
} command;

typedef struct lazy {
	omt_backend base;
	omt_backend *ref;
	command commands[MOST_COMMANDS];
	uint64_t count, done; /* marks: how many commands there were */
	int hang_at;          /* this op from now on; 0: none does */
	int hangs_left;
	int ops_done;
	int fails_at; /* the device is lost then; 0: never */
	uint32_t lost;
} lazy;

static int ops_of_run; /* that the last device did */

static void lazy_close(omt_backend *self)
{
	ops_of_run = ((lazy *)self)->ops_done;
	lazy *l = (lazy *)self;
	l->ref->class->close(l->ref);
	free(l);
}

static void lazy_info(const omt_backend *self, omt_backend_info *info)
{
	(void)self;
	*info = (omt_backend_info){.backend = "lazy",
	                           .panel = 1,
	                           .may_stall = true,
	                           .max_alloc_bytes = 1 << 30,
	                           .asynchronous = true};
}

static bool lazy_supports(const omt_backend *self, omt_op op, const void *args)
{
	(void)args;
	return !(((const lazy *)self)->lost >> op & 1);
}

static omt_status lazy_alloc(omt_backend *self, size_t bytes, omt_usage usage, const void *borrowed,
                             omt_buffer **buffer, omt_error *error)
{
	return omt_host_alloc(self, bytes, usage, borrowed, buffer, error);
}

static command *lazy_add(omt_backend *self, uint64_t *mark)
{
	lazy *l = (lazy *)self;
	cr_assert_lt(l->count, MOST_COMMANDS);
	command *added = &l->commands[l->count++];
	*added = (command){0};
	if (mark)
		*mark = l->count;
	return added;
}

static omt_status lazy_write(omt_backend *self, omt_buffer *buffer, size_t offset, const void *data,
                             size_t bytes, uint64_t *mark, omt_error *error)
{
	command *added = lazy_add(self, mark);
	(void)error;
	added->to = (uint8_t *)omt_host_buffer_data(buffer) + offset;
	added->from = data;
	added->bytes = bytes;
	return OMT_OK;
}

static omt_status lazy_read(omt_backend *self, const omt_buffer *buffer, size_t offset, void *data,
                            size_t bytes, uint64_t *mark, omt_error *error)
{
	command *added = lazy_add(self, mark);
	(void)error;
	added->to = data;
	added->from = (const uint8_t *)omt_host_buffer_data(buffer) + offset;
	added->bytes = bytes;
	return OMT_OK;
}

static omt_status lazy_run(omt_backend *self, omt_op op, const void *args, uint64_t *mark,
                           omt_error *error)
{
	command *added = lazy_add(self, mark);
	(void)error;
	added->run = true;
	added->op = op;
	memcpy(&added->args, args, omt_op_args_bytes(op));
	return OMT_OK;
}

/* What an op that was begun may leave: anything, in all that it writes. */
static void spoil(const command *begun)
{
	for (int32_t i = 0; i < omt_op_infos[begun->op].buffers; i++)
		if (omt_op_infos[begun->op].buffer[i].access != OMT_ACCESS_IN)
			memset(omt_host_buffer_data(begun->args.buffers[i]), 0x7f,
			       begun->args.buffers[i]->bytes);
}

static omt_status hang(lazy *l, const command *at, omt_error *error)
{
	l->hangs_left--;
	l->lost |= 1u << at->op;
	for (const command *c = at; c < l->commands + l->count; c++)
		if (c->run)
			spoil(c);
	l->done = l->count;
	return OMT_FAIL(error, STALLED, "op %s hangs", omt_op_infos[at->op].name);
}

static omt_status lazy_wait(omt_backend *self, uint64_t mark, omt_error *error)
{
	lazy *l = (lazy *)self;
	while (l->done < (mark ? mark : l->count)) {
		const command *c = &l->commands[l->done];
		l->ops_done += c->run;
		if (l->fails_at && l->ops_done >= l->fails_at)
			return OMT_FAIL(error, DEVICE, "the connection is lost");
		if (c->run && l->ops_done == l->hang_at && l->hangs_left) {
			/* the next one hangs a few ops later */
			l->hang_at += 5;
			return hang(l, c, error);
		}
		if (c->run)
			OMT_TRY(l->ref->class->run(l->ref, c->op, &c->args, NULL, error));
		else
			memcpy(c->to, c->from, c->bytes);
		l->done++;
	}
	return OMT_OK;
}

static bool lazy_done(omt_backend *self, uint64_t mark)
{
	(void)self;
	(void)mark;
	return true; /* whatever it is, wait() does it at once */
}

static double lazy_elapsed(omt_backend *self, uint64_t first, uint64_t last)
{
	(void)self;
	return last > first ? 1e-6 * (double)(last - first) : 0;
}

static const omt_backend_class lazy_class = {
	.name = "lazy",
	.close = lazy_close,
	.info = lazy_info,
	.supports = lazy_supports,
	.alloc = lazy_alloc,
	.free = omt_host_free,
	.write = lazy_write,
	.read = lazy_read,
	.run = lazy_run,
	.done = lazy_done,
	.wait = lazy_wait,
	.elapsed = lazy_elapsed,
};

/* A chain "lazy,ref" whose device hangs at an op, and `hangs - 1` times after that. */
static omt_exec *open_failing(int hang_at, int hangs, int fails_at)
{
	int32_t one;
	omt_exec *exec;
	lazy *l = calloc(1, sizeof *l);
	cr_assert_not_null(l);
	l->base.class = &lazy_class;
	l->hang_at = hang_at;
	l->hangs_left = hangs;
	l->fails_at = fails_at;
	cr_assert_eq(omt_backend_ref.open(&(omt_backend_options){0}, 1, &l->ref, &one, &err),
	             OMT_OK);
	cr_assert_eq(omt_exec_open_on(&l->base, "ref", &(omt_backend_options){0}, &exec, &err),
	             OMT_OK, "%s", err.text);
	return exec;
}

static omt_exec *open_lazy(int hang_at, int hangs)
{
	return open_failing(hang_at, hangs, 0);
}

static card_rounds *expected(void)
{
	omt_exec *exec;
	card_rounds *wanted = calloc(1, sizeof *wanted);
	cr_assert_eq(omt_exec_open("ref", &(omt_backend_options){0}, &exec, &err), OMT_OK);
	card_rounds_run(wanted, exec);
	omt_exec_close(exec);
	return wanted;
}

/* Every op of the run hangs once: in place, at a round's first and last op, with rounds before it
 * that nobody waited for. */
Test(replay, does_it_again)
{
	card_rounds *wanted = expected(), *got = calloc(1, sizeof *got);
	for (int at = 0; at <= 4 * CARD_ROUNDS; at++) {
		omt_error note;
		omt_exec *exec = open_lazy(at, 1);
		card_rounds_run(got, exec);
		card_rounds_compare(got, wanted);
		cr_assert_eq(omt_exec_take_note(exec, &note), at > 0);
		cr_assert(!at || strstr(note.text, "hangs"), "%s", note.text);
		cr_assert_eq(omt_exec_fallbacks(exec) > 0, at > 0);
		omt_exec_close(exec);
	}
	free(wanted);
	free(got);
}

/* While it is done again, another op hangs. */
Test(replay, stalls_again)
{
	card_rounds *wanted = expected(), *got = calloc(1, sizeof *got);
	omt_error note;
	int notes = 0;
	omt_exec *exec = open_lazy(7, 2);
	card_rounds_run(got, exec);
	card_rounds_compare(got, wanted);
	while (omt_exec_take_note(exec, &note))
		notes++;
	cr_assert_eq(notes, 2);
	omt_exec_close(exec);
	free(wanted);
	free(got);
}

#define MUST(call) cr_assert_eq((call), OMT_OK, "%s", err.text)
#define NORM(from, to)                                                                      \
	MUST(OMT_RUN(exec, l2norm, &err, .x = (from), .out = (to), .rows = 1, .cols = COLS, \
	             .ldx = COLS, .ldo = COLS, .eps = 1e-12f))

enum { COLS = 64, BYTES = 4 * COLS };

/* Marks from before a stall stay valid; what was waited for is the caller's and is not touched. */
Test(replay, keeps_what_was_done)
{
	float in[COLS], first[COLS], second[COLS];
	omt_buffer *slot, *work;
	uint64_t marks[3];
	omt_exec *exec = open_lazy(2, 1);
	for (int i = 0; i < COLS; i++)
		in[i] = (float)(i + 1);
	MUST(omt_exec_alloc(exec, BYTES, OMT_USAGE_SLOT, NULL, &slot, &err));
	MUST(omt_exec_alloc(exec, BYTES, OMT_USAGE_WORK, NULL, &work, &err));
	MUST(omt_exec_write(exec, slot, 0, in, BYTES, &marks[0], &err));
	NORM(slot, work);
	MUST(omt_exec_read(exec, work, 0, first, BYTES, &marks[1], &err));
	MUST(omt_exec_wait(exec, marks[1], &err));
	memset(in, 0, sizeof in);
	const float was = first[1];
	first[1] = -1;
	NORM(work, work); /* hangs, in place: what it needs is made once more */
	MUST(omt_exec_read(exec, work, 0, second, BYTES, &marks[2], &err));
	MUST(omt_exec_wait(exec, marks[2], &err));
	cr_expect_float_eq(second[1], was, 1e-6);
	cr_expect_eq(first[1], -1.0f);
	cr_expect(omt_exec_done(exec, marks[0]) && omt_exec_done(exec, marks[2]));
	MUST(omt_exec_wait(exec, marks[0], &err));
	cr_expect_gt(omt_exec_elapsed(exec, marks[1], marks[2]), 0.0);
	omt_exec_free(exec, slot);
	omt_exec_free(exec, work);
	omt_exec_close(exec);
}

/* A buffer that went away takes its commands with it; one that was overwritten cannot be had back,
 * and that is told. */
Test(replay, knows_what_is_gone)
{
	float in[COLS], out[COLS] = {0};
	omt_buffer *slot, *work, *gone;
	uint64_t mark;
	for (int i = 0; i < COLS; i++)
		in[i] = (float)(i + 1);
	for (int hang_at = 2; hang_at < 4; hang_at++) {
		omt_exec *exec = open_lazy(hang_at, 1);
		MUST(omt_exec_alloc(exec, BYTES, OMT_USAGE_SLOT, NULL, &slot, &err));
		MUST(omt_exec_alloc(exec, BYTES, OMT_USAGE_WORK, NULL, &work, &err));
		MUST(omt_exec_alloc(exec, BYTES, OMT_USAGE_WORK, NULL, &gone, &err));
		MUST(omt_exec_write(exec, slot, 0, in, BYTES, NULL, &err));
		NORM(slot, gone);
		omt_exec_free(exec, gone);
		MUST(omt_exec_write(exec, slot, 0, in, BYTES, &mark, &err));
		NORM(slot, work); /* hangs */
		MUST(omt_exec_wait(exec, mark, &err));
		if (hang_at == 3)
			MUST(omt_exec_write(exec, slot, 0, out, BYTES, &mark, &err));
		NORM(slot, work); /* or this one */
		MUST(omt_exec_read(exec, work, 0, out, BYTES, &mark, &err));
		const omt_status status = omt_exec_wait(exec, mark, &err);
		cr_expect_eq(status, hang_at == 3 ? OMT_DEVICE : OMT_OK, "%s", err.text);
		omt_exec_free(exec, slot);
		omt_exec_free(exec, work);
		omt_exec_close(exec);
	}
}

/* ---- the whole model ---- */

TestSuite(replay_model, .init = tiny_open, .fini = tiny_close);

enum { ITEMS = 7, DIMENSION = 4096 };

typedef struct embedding {
	int given, received, notes;
	char note[512];
	omt_item item;
	omt_part part;
	float vectors[ITEMS][DIMENSION];
} embedding;

static bool next_text(void *user, const omt_item **item)
{
	static const char *const texts[ITEMS] = {
		"a red bird", "two cats on a long branch",     "rain", "a street at night",
		"a dog",      "the sound of a bell, far away", "snow"};
	embedding *e = user;
	if (e->given == ITEMS)
		return false;
	e->part = (omt_part){
		.kind = OMT_TEXT, .text = texts[e->given], .text_bytes = strlen(texts[e->given])};
	omt_limits_init(&e->part.limits);
	e->item = (omt_item){.id = "text", .parts = &e->part, .part_count = 1};
	e->given++;
	*item = &e->item;
	return true;
}

static omt_status keep(void *user, const omt_result *result, omt_error *error)
{
	embedding *e = user;
	(void)error;
	cr_assert_eq(result->failed.status, OMT_OK, "%s", result->failed.text);
	cr_assert_leq(result->dimension, DIMENSION);
	memcpy(e->vectors[result->index], result->vector,
	       (size_t)result->dimension * sizeof(float));
	e->received++;
	return OMT_OK;
}

static void take_note(void *user, const char *text)
{
	embedding *e = user;
	e->notes++;
	snprintf(e->note, sizeof e->note, "%s", text);
}

static embedding *embed_on(omt_exec *exec, const char *rest)
{
	embedding *e = calloc(1, sizeof *e);
	omt_engine *engine;
	omt_engine_options options = tiny_options(NULL, NULL, 2, 2, false);
	cr_assert_not_null(e);
	options.progress = (omt_progress){.note = take_note, .user = e};
	options.cache = "none";
	cr_assert_eq(omt_engine_open_on(model, &options, &exec, 1, &engine, &err), OMT_OK, "%s",
	             err.text);
	snprintf(engine->rest, sizeof engine->rest, "%s", rest);
	cr_assert_eq(
		omt_embed(engine, &(omt_source){next_text, e}, &(omt_sink){keep, e}, NULL, &err),
		OMT_OK, "%s", err.text);
	cr_assert_eq(e->received, ITEMS);
	/* And once more, on what is left of it. */
	if (e->notes) {
		e->given = e->received = 0;
		cr_assert_eq(omt_embed(engine, &(omt_source){next_text, e}, &(omt_sink){keep, e},
		                       NULL, &err),
		             OMT_OK, "%s", err.text);
		cr_assert_eq(e->received, ITEMS);
	}
	omt_engine_close(engine);
	return e;
}

/* An op hangs, and later another one, anywhere in a run of four batches: the vectors have the same
 * bits. A device that is lost has its batches computed by what comes behind it in the chain. */
Test(replay_model, survives)
{
	embedding *wanted = embed_on(open_lazy(0, 0), "");
	const int ops = ops_of_run;
	cr_assert_eq(wanted->notes, 0);
	for (int i = 0; i < 3; i++) {
		embedding *got = embed_on(open_lazy(1 + i * (ops - 8) / 2, 2), "");
		cr_expect_geq(got->notes, 1);
		cr_expect(strstr(got->note, "hangs"), "%s", got->note);
		cr_assert(!memcmp(got->vectors, wanted->vectors, sizeof got->vectors),
		          "hang %d of %d ops", i, ops);
		free(got);
	}
	for (int i = 0; i < 2; i++) {
		embedding *got = embed_on(open_failing(0, 0, 1 + i * (ops - 1)), "ref");
		cr_expect_eq(got->notes, 1);
		cr_expect_str_eq(got->note, "the connection is lost; goes on with ref");
		cr_assert(!memcmp(got->vectors, wanted->vectors, sizeof got->vectors),
		          "loss %d of %d ops", i, ops);
		free(got);
	}
	free(wanted);
}
