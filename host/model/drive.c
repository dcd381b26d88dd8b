#include "model/drive.h"

#include <math.h>
#include <sys/prctl.h>

#include "base/clock.h"

#define TIMER_SLACK_NS 1000UL

/* When a finished batch was where, by the host's clock. Marks tell times of the device's clock; no
 * batch ends after it is seen to have ended, and the closest of these sightings sets the one clock
 * by the other. Nor is one sent before it is enqueued: clocks that drift apart are set again. */
static void locate_marks(omt_driver *driver, const omt_slot *slot, omt_outcome *outcome)
{
	omt_exec *exec = driver->unit->exec;
	double now_s = omt_now_s(), took_s = omt_exec_elapsed(exec, slot->first, slot->last);
	double since_s =
		driver->clock.first ? omt_exec_elapsed(exec, driver->clock.first, slot->last) : 0;
	double ended_s = driver->clock.begin_s + since_s;
	if (since_s < took_s) { /* the run's first batch, or the last one's mark is forgotten */
		ended_s = took_s;
		driver->clock.offset_s = INFINITY;
	}
	driver->clock.first = slot->first;
	driver->clock.begin_s = ended_s - took_s;
	double away_s = omt_exec_elapsed(exec, slot->upload_first, slot->last);
	driver->clock.offset_s = fmin(driver->clock.offset_s, now_s - ended_s);
	driver->clock.offset_s =
		fmax(driver->clock.offset_s, outcome->enqueue_begin_s + away_s - ended_s);
	outcome->end_s = ended_s + driver->clock.offset_s;
	outcome->sent_s = outcome->end_s - away_s;
	outcome->arrived_s =
		outcome->sent_s + omt_exec_elapsed(exec, slot->upload_first, slot->upload_last);
	outcome->begin_s = outcome->end_s - took_s;
	outcome->computed_s =
		outcome->begin_s + omt_exec_elapsed(exec, slot->first, slot->computed);
	outcome->fetched_s = outcome->end_s - omt_exec_elapsed(exec, slot->last, slot->last);
}

static void locate(omt_driver *driver, const omt_slot *slot, omt_outcome *outcome)
{
	if (!driver->pipe->engine->profiled) {
		locate_marks(driver, slot, outcome);
		return;
	}
	/* The ops took up the marks, and ran while the batch was enqueued. */
	outcome->sent_s = outcome->arrived_s = outcome->begin_s = outcome->enqueue_begin_s;
	outcome->computed_s = outcome->fetched_s = outcome->end_s = omt_now_s();
}

static omt_status enqueue(omt_driver *driver, const omt_flight *flight, omt_error *err)
{
	omt_outcome *outcome = omt_pipe_outcome(driver->pipe, flight->lane);
	if (!outcome->items)
		return OMT_OK;
	outcome->enqueue_begin_s = omt_now_s();
	OMT_TRY(omt_unit_enqueue(driver->unit, flight->slot, flight->lane->batch, NULL,
	                         outcome->vectors, err));
	outcome->enqueue_end_s = omt_now_s();
	return OMT_OK;
}

/* Waits for the batch in flight and hands it over. */
static omt_status finish(omt_driver *driver, omt_error *err)
{
	const omt_flight flight = driver->flying;
	omt_outcome *outcome = omt_pipe_outcome(driver->pipe, flight.lane);
	if (outcome->items) {
		omt_error note;
		omt_status status = omt_exec_wait(driver->unit->exec, flight.slot->last, err);
		while (omt_exec_take_note(driver->unit->exec, &note))
			omt_pipe_note(driver->pipe, &note);
		if (status != OMT_OK)
			return status;
		locate(driver, flight.slot, outcome);
	}
	omt_pipe_done(driver->pipe, flight.lane);
	driver->flying.lane = NULL;
	return OMT_OK;
}

/* Whether the batch in flight is to be handed over, for the pipe's wait for another one. */
static bool landed(void *user)
{
	const omt_driver *driver = user;
	return !omt_pipe_outcome(driver->pipe, driver->flying.lane)->items ||
	       omt_exec_done(driver->unit->exec, driver->flying.slot->last);
}

/* At most two batches are on the device: one computing, one waiting behind it. A backend that is
 * not asynchronous has computed a batch when it is enqueued: its results go out at once. */
static omt_status compute(omt_driver *driver, omt_error *err)
{
	for (;;) {
		if (driver->flying.lane && driver->unit->slot_count == 1)
			OMT_TRY(finish(driver, err)); /* no other one has a place */
		omt_flight next = {.slot = &driver->unit->slots[driver->turn]};
		next.lane = omt_pipe_take(driver->pipe, driver->number,
		                          driver->flying.lane ? landed : NULL, driver);
		if (!next.lane && !driver->flying.lane)
			return OMT_OK;
		if (next.lane) {
			driver->turn = (driver->turn + 1) % driver->unit->slot_count;
			OMT_TRY(enqueue(driver, &next, err));
		}
		if (driver->flying.lane)
			OMT_TRY(finish(driver, err));
		driver->flying = next;
		if (next.lane && !driver->unit->info.asynchronous)
			OMT_TRY(finish(driver, err));
	}
}

/* There is no device any more: every batch fails for the reason of the last one. */
static void fail_all(omt_driver *driver, const omt_error *why)
{
	omt_lane *lane;
	while ((lane = omt_pipe_take(driver->pipe, driver->number, NULL, NULL))) {
		omt_outcome *outcome = omt_pipe_outcome(driver->pipe, lane);
		outcome->failed = *why;
		outcome->begin_s = outcome->end_s = 0;
		omt_pipe_done(driver->pipe, lane);
	}
}

static void *drive(void *user)
{
	omt_driver *driver = user;
	omt_error why = driver->unit->failed;    /* of an earlier run */
	if (driver->pipe->engine->options.eager) /* else 50 us are added to each wait */
		prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
	while (why.status == OMT_OK) {
		omt_error note;
		if (compute(driver, &why) == OMT_OK)
			return NULL;
		omt_exec_wait(driver->unit->exec, 0, NULL); /* nothing may still use the lanes */
		if (omt_pipe_lose(driver->pipe, driver->number, &why))
			return NULL;
		/* The last one: its work goes on further down the chain. */
		if (omt_unit_move(driver->pipe->engine, driver->unit, &why, &note) != OMT_OK) {
			omt_pipe_fail(driver->pipe, driver->number, &why);
			break;
		}
		omt_pipe_regain(driver->pipe, driver->number, &note);
		driver->flying.lane = NULL;
		driver->turn = 0;
		driver->clock.first = 0;
		why.status = OMT_OK;
	}
	fail_all(driver, &why);
	return NULL;
}

omt_status omt_drivers_start(omt_pipe *pipe, omt_driver *drivers, int32_t *count, omt_error *err)
{
	omt_engine *engine = pipe->engine;
	int32_t live = 0;
	*count = 0;
	for (int32_t i = 0; i < engine->unit_count; i++)
		live += engine->units[i].failed.status == OMT_OK;
	for (int32_t i = 0; i < engine->unit_count; i++) {
		omt_driver *driver = &drivers[*count];
		if (live && engine->units[i].failed.status != OMT_OK)
			continue;
		if (!live && i)
			break;
		*driver = (omt_driver){.pipe = pipe, .unit = &engine->units[i], .number = i};
		if (pthread_create(&driver->thread, NULL, drive, driver) != 0)
			return OMT_FAIL(err, NO_MEMORY, "a thread for each of %d devices",
			                engine->unit_count);
		(*count)++;
	}
	return OMT_OK;
}

void omt_drivers_join(omt_driver *drivers, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		pthread_join(drivers[i].thread, NULL);
}
