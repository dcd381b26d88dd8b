#include "bench/probes/energy.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/probes/energy_sources.h"

#define PERIOD_NS      20000000 /* between samples of power */
#define COUNTER_TICKS  50       /* between looks at counters: a second, none wraps in less */
#define NANOSECONDS_1S 1000000000

/* What a source told in this stretch. */
typedef struct tally {
	bool known;    /* it had a value at least once */
	bool broken;   /* a counter that went back and does not wrap */
	uint64_t last; /* its last value */
	double last_s; /* when that was */
	double joules;
} tally;

struct omt_energy {
	omt_energy_sources sources;
	tally tallies[OMT_ENERGY_SOURCES];
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wakes;
	bool begun, ends;
};

omt_status omt_energy_open(const char *root, omt_energy **given, omt_error *err)
{
	pthread_condattr_t attributes;
	omt_energy *energy = *given = calloc(1, sizeof *energy);
	if (!energy)
		return OMT_FAIL(err, NO_MEMORY, "sources of energy");
	pthread_mutex_init(&energy->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&energy->wakes, &attributes);
	pthread_condattr_destroy(&attributes);
	omt_energy_sources_find(root ? root : "/sys", &energy->sources);
	return OMT_OK;
}

/* ---- samples ---- */

/* A value that cannot be read now is left out: the next one stands for the gap, too. */
static void sample(const omt_energy_source *source, tally *t)
{
	uint64_t value;
	const double now_s = omt_now_s();
	if (!omt_energy_source_read(source, &value))
		return;
	if (t->known && source->power)
		t->joules += 0.5e-6 * ((double)value + (double)t->last) * (now_s - t->last_s);
	else if (t->known && value >= t->last)
		t->joules += 1e-6 * (double)(value - t->last);
	else if (t->known && source->range >= t->last)
		t->joules += 1e-6 * ((double)(source->range - t->last) + 1 + (double)value);
	else if (t->known)
		t->broken = true;
	t->known = true;
	t->last = value;
	t->last_s = now_s;
}

static void sample_all(omt_energy *energy, bool counters)
{
	for (size_t i = 0; i < energy->sources.count; i++)
		if (counters || energy->sources.list[i].power)
			sample(&energy->sources.list[i], &energy->tallies[i]);
}

static void *sample_thread(void *user)
{
	omt_energy *energy = user;
	struct timespec next;
	clock_gettime(CLOCK_MONOTONIC, &next);
	pthread_mutex_lock(&energy->lock);
	for (unsigned tick = 1; !energy->ends; tick++) {
		next.tv_nsec += PERIOD_NS;
		next.tv_sec += next.tv_nsec / NANOSECONDS_1S;
		next.tv_nsec %= NANOSECONDS_1S;
		while (!energy->ends &&
		       pthread_cond_timedwait(&energy->wakes, &energy->lock, &next) == 0)
			continue;
		if (!energy->ends)
			sample_all(energy, tick % COUNTER_TICKS == 0);
	}
	pthread_mutex_unlock(&energy->lock);
	return NULL;
}

/* ---- a stretch ---- */

omt_status omt_energy_begin(omt_energy *energy, omt_error *err)
{
	if (energy->begun)
		return OMT_FAIL(err, BAD_ARGUMENT, "energy is being measured already");
	memset(energy->tallies, 0, sizeof energy->tallies);
	energy->ends = false;
	sample_all(energy, true);
	if (energy->sources.count &&
	    pthread_create(&energy->thread, NULL, sample_thread, energy) != 0)
		return OMT_FAIL(err, NO_MEMORY, "a thread that samples power");
	energy->begun = true;
	return OMT_OK;
}

static void stop(omt_energy *energy)
{
	if (energy->begun && energy->sources.count) {
		pthread_mutex_lock(&energy->lock);
		energy->ends = true;
		pthread_cond_signal(&energy->wakes);
		pthread_mutex_unlock(&energy->lock);
		pthread_join(energy->thread, NULL);
	}
	energy->begun = false;
}

static json_t *not_available(const omt_energy *energy)
{
	const char *obstacle = energy->sources.obstacle;
	return json_pack("{so}", "reason",
	                 json_sprintf("not available: %s",
	                              *obstacle ? obstacle
	                                        : "the machine tells neither energy nor power "
	                                          "(no RAPL, hwmon or XRT sensor)"));
}

json_t *omt_energy_end(omt_energy *energy, uint64_t items)
{
	double joules[2] = {0}; /* of the host, of cards */
	size_t taken[2] = {0};
	if (!energy->begun)
		return NULL;
	stop(energy);
	sample_all(energy, true);
	json_t *names = json_array(), *each = json_object();
	for (size_t i = 0; i < energy->sources.count; i++) {
		const omt_energy_source *source = &energy->sources.list[i];
		const tally *t = &energy->tallies[i];
		const int of_card = source->card[0] != '\0';
		if (!t->known || t->broken)
			continue;
		taken[of_card]++;
		joules[of_card] += t->joules;
		json_array_append_new(names, json_string(source->name));
		json_object_set_new(each, source->name, json_real(t->joules));
	}
	if (!taken[0] && !taken[1]) {
		json_decref(names);
		json_decref(each);
		return not_available(energy);
	}
	const double all = joules[0] + joules[1];
	json_t *told = json_pack("{sf so so}", "joules", all, "sources", names, "by_source", each);
	if (told && items)
		json_object_set_new(told, "joules_per_item", json_real(all / (double)items));
	if (told && taken[0])
		json_object_set_new(told, "host_joules", json_real(joules[0]));
	if (told && taken[1])
		json_object_set_new(told, "device_joules", json_real(joules[1]));
	if (told && energy->sources.obstacle[0])
		json_object_set_new(told, "missing", json_string(energy->sources.obstacle));
	return told;
}

void omt_energy_close(omt_energy *energy)
{
	if (!energy)
		return;
	stop(energy);
	omt_energy_sources_close(&energy->sources);
	pthread_cond_destroy(&energy->wakes);
	pthread_mutex_destroy(&energy->lock);
	free(energy);
}
