/* Slot buffers are written and read while ops on the compute queue run: many rounds through one
 * pair of them without a wait between, so that nothing but the backend's own ordering keeps a
 * round's data from the next one's. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "tests/op/harness.h"

enum { ROWS = 24, COLS = 512, FLOATS = ROWS * COLS, BYTES = FLOATS * 4 };

typedef struct slots {
	omt_exec *exec;
	omt_buffer *in, *out, *work[2], *order;
	float *sent, *received; /* [rounds, FLOATS] */
	int rounds;
} slots;

static omt_error err;

static void must(omt_status status)
{
	cr_assert_eq(status, OMT_OK, "%s", err.text);
}

static omt_buffer *buffer(slots *s, omt_usage usage, const void *content, size_t bytes)
{
	omt_buffer *made;
	must(omt_exec_alloc(s->exec, bytes, usage, content, &made, &err));
	return made;
}

static void open_slots(slots *s, const char *backend)
{
	static int32_t index[2 * ROWS];
	const omt_backend_options options = {0};
	s->rounds = getenv("OMT_TEST_SMALL") ? 30 : 1000;
	s->sent = malloc((size_t)s->rounds * BYTES);
	s->received = calloc((size_t)s->rounds, BYTES);
	cr_assert(s->sent && s->received);
	must(omt_exec_open(backend, &options, &s->exec, &err));
	s->in = buffer(s, OMT_USAGE_SLOT, NULL, BYTES);
	s->out = buffer(s, OMT_USAGE_SLOT, NULL, BYTES);
	s->work[0] = buffer(s, OMT_USAGE_WORK, NULL, BYTES);
	s->work[1] = buffer(s, OMT_USAGE_WORK, NULL, BYTES);
	for (int32_t i = 0; i < ROWS; i++)
		index[i] = ROWS - 1 - i;
	s->order = buffer(s, OMT_USAGE_WEIGHT, index, ROWS * sizeof *index);
}

static void close_slots(slots *s)
{
	omt_exec_free(s->exec, s->in);
	omt_exec_free(s->exec, s->out);
	omt_exec_free(s->exec, s->work[0]);
	omt_exec_free(s->exec, s->work[1]);
	omt_exec_free(s->exec, s->order);
	omt_exec_close(s->exec);
	free(s->sent);
	free(s->received);
}

/* Row i goes to row order[i], from row order[i]: a copy, whatever the order is. */
static void copy(slots *s, omt_buffer *from, omt_buffer *to)
{
	must(OMT_RUN(s->exec, rows, &err, .src = from, .src_index = s->order, .dst_index = s->order,
	             .dst = to, .count = ROWS, .cols = COLS, .lds = COLS, .ldd = COLS,
	             .src_dtype = OMT_F32, .src_rows = INT32_MAX));
}

/* One round; the marks of its write and its read. */
static void enqueue(slots *s, int round, uint64_t *first, uint64_t *last)
{
	float *sent = s->sent + (size_t)round * FLOATS;
	for (int i = 0; i < FLOATS; i++)
		sent[i] = (float)(round * 7 + i);
	must(omt_exec_write(s->exec, s->in, 0, sent, BYTES, first, &err));
	copy(s, s->in, s->work[0]);
	copy(s, s->work[0], s->work[1]);
	copy(s, s->work[1], s->out);
	must(omt_exec_read(s->exec, s->out, 0, s->received + (size_t)round * FLOATS, BYTES, last,
	                   &err));
	/* What was read is overwritten at once. */
	must(OMT_RUN(s->exec, l2norm, &err, .x = s->work[0], .out = s->out, .rows = ROWS,
	             .cols = COLS, .ldx = COLS, .ldo = COLS, .eps = 1e-12f));
}

static void check_rounds(const slots *s, int begin, int end)
{
	for (int round = begin; round < end; round++)
		cr_assert(!memcmp(s->sent + (size_t)round * FLOATS,
		                  s->received + (size_t)round * FLOATS, BYTES),
		          "round %d got another round's data", round);
}

static void run_rounds(slots *s)
{
	uint64_t first, last, oldest = 0;
	memset(s->received, 0xff, (size_t)s->rounds * BYTES);
	for (int round = 0; round < s->rounds; round++) {
		enqueue(s, round, &first, &last);
		oldest = oldest ? oldest : first;
	}
	/* The mark of the last read stands for all before it. */
	must(omt_exec_wait(s->exec, last, &err));
	check_rounds(s, 0, s->rounds);
	cr_assert_gt(omt_exec_elapsed(s->exec, first, last), 0.0);
	/* 2 marks a round: the first is forgotten after OMT_MARKS / 2 of them. */
	if (2 * s->rounds > OMT_MARKS)
		cr_assert_eq(omt_exec_elapsed(s->exec, oldest, last), 0.0);
}

#define ALLOWED_GROWTH ((size_t)64 * 1024)

static void check_slots(const char *backend)
{
	slots s;
	const char *only = getenv("OMT_TEST_BACKENDS");
	if (only && *only && strcmp(only, backend))
		cr_skip_test("OMT_TEST_BACKENDS=%s", only);
	open_slots(&s, backend);
	run_rounds(&s);
	run_rounds(&s); /* the runtime's pools have their size */
	/* What is allocated after the same work again has not grown: no event is kept a batch. One
	 * that is kept shows every time, a runtime's pool that grows now and then does not. */
	size_t least = SIZE_MAX;
	for (int time = 0; time < 3 && least > ALLOWED_GROWTH; time++) {
		const size_t before = mallinfo2().uordblks;
		run_rounds(&s);
		const size_t after = mallinfo2().uordblks;
		const size_t growth = after > before ? after - before : 0;
		least = growth < least ? growth : least;
	}
	cr_assert_leq(least, ALLOWED_GROWTH, "%zu bytes more each time", least);
	close_slots(&s);
}

/* Nothing to move and nothing to launch are commands too: their marks are done. */
static void check_nothing(const char *backend)
{
	slots s;
	uint64_t mark = 0;
	const char *only = getenv("OMT_TEST_BACKENDS");
	if (only && *only && strcmp(only, backend))
		cr_skip_test("OMT_TEST_BACKENDS=%s", only);
	open_slots(&s, backend);
	omt_buffer *empty = buffer(&s, OMT_USAGE_SLOT, NULL, 0);
	must(omt_exec_write(s.exec, empty, 0, s.sent, 0, &mark, &err));
	must(omt_exec_wait(s.exec, mark, &err));
	const omt_l2norm_args args = {.x = s.in, .out = s.out};
	must(omt_exec_run(s.exec, OMT_OP_l2norm, &args, &mark, &err));
	must(omt_exec_wait(s.exec, mark, &err));
	must(omt_exec_read(s.exec, empty, 0, s.received, 0, &mark, &err));
	must(omt_exec_wait(s.exec, mark, &err));
	cr_assert_eq(omt_exec_write(s.exec, s.in, 4, s.sent, BYTES, NULL, &err), OMT_BAD_ARGUMENT);
	omt_exec_free(s.exec, empty);
	close_slots(&s);
}

#define SLOT_TESTS(backend)                        \
	Test(slots, backend, .timeout = 300)       \
	{                                          \
		check_slots(#backend);             \
	}                                          \
	Test(slots_empty, backend, .timeout = 300) \
	{                                          \
		check_nothing(#backend);           \
	}

SLOT_TESTS(ref)
SLOT_TESTS(openblas)
SLOT_TESTS(opencl)
