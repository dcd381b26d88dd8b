#include "exec/replay.h"

#include <stdlib.h>
#include <string.h>

#define NOTES 16 /* that nobody took yet; later ones are left out */

struct omt_replay {
	omt_step *steps;
	size_t count, room;
	uint64_t last_mark;
	uint64_t marks[OMT_MARKS]; /* the device's, of mark m at m % OMT_MARKS */
	omt_error notes[NOTES];
	size_t first_note, note_count;
};

omt_status omt_replay_open(omt_replay **replay, omt_error *err)
{
	*replay = calloc(1, sizeof **replay);
	if (!*replay)
		return OMT_FAIL(err, NO_MEMORY, "a log of commands");
	return OMT_OK;
}

void omt_replay_close(omt_replay *replay)
{
	if (!replay)
		return;
	free(replay->steps);
	free(replay);
}

/* ---- steps ---- */

/* Whether the log may begin with this step. */
static bool begins(const omt_replay *replay, size_t i)
{
	return replay->steps[i].kind == OMT_STEP_WRITE &&
	       (i == 0 || replay->steps[i - 1].kind != OMT_STEP_WRITE);
}

/* Forgets the steps before `first`. */
static void drop(omt_replay *replay, size_t first)
{
	replay->count -= first;
	memmove(replay->steps, replay->steps + first, replay->count * sizeof *replay->steps);
}

static omt_status append(omt_replay *replay, const omt_step *step, omt_error *err)
{
	/* All is done, and the host writes: nothing before is needed again. */
	if (replay->count && replay->steps[replay->count - 1].done && step->kind == OMT_STEP_WRITE)
		replay->count = 0;
	if (replay->count == replay->room) {
		const size_t room = replay->room ? 2 * replay->room : 1024;
		omt_step *steps = realloc(replay->steps, room * sizeof *steps);
		if (!steps)
			return OMT_FAIL(err, NO_MEMORY, "a log of %zu commands", room);
		replay->steps = steps;
		replay->room = room;
	}
	replay->steps[replay->count++] = *step;
	return OMT_OK;
}

static omt_status give_step(omt_replay *replay, const omt_step *step, omt_step_do give, void *user,
                            omt_error *err)
{
	uint64_t *mark = step->mark ? &replay->marks[step->mark % OMT_MARKS] : NULL;
	return give(user, step, mark, err);
}

omt_status omt_replay_step(omt_replay *replay, omt_step *step, omt_step_do give, void *user,
                           uint64_t *mark, omt_error *err)
{
	step->done = false;
	step->mark = mark ? ++replay->last_mark : 0;
	OMT_TRY(append(replay, step, err));
	if (mark) {
		*mark = step->mark;
		replay->marks[step->mark % OMT_MARKS] = 0;
	}
	return give_step(replay, step, give, user, err);
}

uint64_t omt_replay_mark(const omt_replay *replay, uint64_t mark)
{
	if (!mark || mark > replay->last_mark || replay->last_mark - mark >= OMT_MARKS)
		return 0;
	return replay->marks[mark % OMT_MARKS];
}

void omt_replay_done(omt_replay *replay, uint64_t mark)
{
	size_t first = 0, end = replay->count;
	if (mark)
		while (end && replay->steps[end - 1].mark != mark)
			end--;
	for (size_t i = 0; i < end; i++)
		replay->steps[i].done = true;
	for (size_t i = 0; i <= end && i < replay->count; i++)
		if (begins(replay, i))
			first = i;
	drop(replay, first);
}

static bool step_uses(const omt_step *step, const omt_buffer *buffer)
{
	if (step->kind != OMT_STEP_RUN)
		return step->buffer == buffer;
	for (int32_t i = 0; i < omt_op_infos[step->op].buffers; i++)
		if (step->args.buffers[i] == buffer)
			return true;
	return false;
}

bool omt_replay_uses(const omt_replay *replay, const omt_buffer *buffer)
{
	for (size_t i = 0; i < replay->count; i++)
		if (!replay->steps[i].done && step_uses(&replay->steps[i], buffer))
			return true;
	return false;
}

void omt_replay_forget(omt_replay *replay, const omt_buffer *buffer)
{
	for (size_t i = replay->count; i > 0; i--)
		if (step_uses(&replay->steps[i - 1], buffer)) {
			drop(replay, i);
			return;
		}
}

/* Whether a write that is done was of a buffer that the host has written again since. */
static bool is_overwritten(const omt_replay *replay, size_t at)
{
	const omt_step *step = &replay->steps[at];
	for (size_t i = at + 1; i < replay->count; i++)
		if (replay->steps[i].kind == OMT_STEP_WRITE && !replay->steps[i].done &&
		    replay->steps[i].buffer == step->buffer)
			return true;
	return false;
}

omt_status omt_replay_again(omt_replay *replay, omt_step_do give, void *user, omt_error *err)
{
	for (size_t i = 0; i < replay->count; i++) {
		const omt_step *step = &replay->steps[i];
		if (!step->done || step->kind == OMT_STEP_RUN)
			continue;
		if (step->kind == OMT_STEP_WRITE && is_overwritten(replay, i))
			return OMT_FAIL(err, DEVICE,
			                "work cannot be done again: its input was overwritten");
	}
	for (size_t i = 0; i < replay->count; i++) {
		const omt_step *step = &replay->steps[i];
		if (!step->done || step->kind == OMT_STEP_RUN)
			OMT_TRY(give_step(replay, step, give, user, err));
	}
	return OMT_OK;
}

/* ---- notes ---- */

void omt_replay_note(omt_replay *replay, const char *text)
{
	if (replay->note_count < NOTES) {
		const size_t at = (replay->first_note + replay->note_count++) % NOTES;
		OMT_FAIL(&replay->notes[at], STALLED, "%s", text);
	}
}

bool omt_replay_take_note(omt_replay *replay, omt_error *note)
{
	const bool there = replay->note_count > 0;
	if (there) {
		*note = replay->notes[replay->first_note];
		replay->first_note = (replay->first_note + 1) % NOTES;
		replay->note_count--;
	}
	return there;
}
