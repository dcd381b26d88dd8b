#include "train/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MAX_THREADS 64

typedef enum omt_entry_state { QUEUED, MAKING, READY, FAILED } omt_entry_state;

typedef struct omt_entry {
	omt_item_key key;
	omt_entry_state state;
	bool told;                       /* FAILED */
	int32_t uses;                    /* taken and not released */
	size_t bytes;                    /* READY */
	omt_sample sample;               /* READY */
	char *reason;                    /* FAILED; NULL: no memory for it */
	omt_status status;               /* FAILED */
	struct omt_entry *next, *before; /* in the queue */
} omt_entry;

struct omt_store {
	const omt_model *model;
	const omt_dataset *dataset;
	int32_t max_tokens;
	size_t limit;
	omt_entry ***entries;    /* [catalog][number]; NULL: nothing is known of the item */
	omt_entry *first, *last; /* of the queue */
	omt_store_counts counts;
	bool stop;
	pthread_mutex_t lock;           /* all of the above */
	pthread_cond_t queued, changed; /* for threads, for the caller */
	pthread_t threads[MAX_THREADS];
	int32_t thread_count;
};

static size_t sample_bytes(const omt_sample *sample, int32_t mel_bins)
{
	size_t bytes = sizeof *sample + (size_t)sample->tokens * 4 * sizeof(int32_t);
	for (size_t i = 0; i < sample->segment_count; i++)
		bytes += sizeof *sample->segments + sample->segments[i].pixel_bytes +
		         (size_t)sample->segments[i].mel.frames * (size_t)mel_bins * sizeof(float);
	return bytes;
}

/* ---- making -------------------------------------------------------------------------------- */

static omt_status make(omt_store *store, omt_item_key key, omt_sample *sample, omt_error *err)
{
	omt_catalog *catalog = omt_dataset_catalog(store->dataset, key);
	omt_item *item;
	OMT_TRY(omt_catalog_item(catalog, (uint32_t)key, &item, err));
	omt_status status = omt_sample_make(store->model, item, store->max_tokens, sample, err);
	if (status != OMT_OK)
		omt_fail_at(err, status, "%s:%llu", omt_catalog_path(catalog),
		            (unsigned long long)item->line);
	free(item);
	return status;
}

/* Locked, and unlocked while it is made. */
static void make_entry(omt_store *store, omt_entry *entry)
{
	omt_error err;
	omt_sample sample = {0};
	entry->state = MAKING;
	pthread_mutex_unlock(&store->lock);
	omt_status status = make(store, entry->key, &sample, &err);
	pthread_mutex_lock(&store->lock);
	store->counts.prepared++;
	if (status == OMT_OK) {
		entry->sample = sample;
		entry->bytes = sample_bytes(&sample, store->model->config.audio.mel_bins);
		store->counts.bytes += entry->bytes;
		entry->state = READY;
	} else {
		entry->reason = strdup(err.text);
		entry->status = status;
		store->counts.failed++;
		entry->state = FAILED;
	}
	pthread_cond_broadcast(&store->changed);
}

/* Takes an entry out of the queue. */
static void dequeue(omt_store *store, omt_entry *entry)
{
	if (entry->before)
		entry->before->next = entry->next;
	else
		store->first = entry->next;
	if (entry->next)
		entry->next->before = entry->before;
	else
		store->last = entry->before;
	entry->next = entry->before = NULL;
}

static void enqueue(omt_store *store, omt_entry *entry)
{
	entry->before = store->last;
	if (store->last)
		store->last->next = entry;
	else
		store->first = entry;
	store->last = entry;
	pthread_cond_signal(&store->queued);
}

static void *work(void *any)
{
	omt_store *store = any;
	pthread_mutex_lock(&store->lock);
	while (!store->stop) {
		if (store->first) {
			omt_entry *entry = store->first;
			dequeue(store, entry);
			make_entry(store, entry);
		} else {
			pthread_cond_wait(&store->queued, &store->lock);
		}
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

/* ---- opening ------------------------------------------------------------------------------- */

omt_status omt_store_open(const omt_model *model, const omt_dataset *dataset, int32_t max_tokens,
                          int32_t threads, size_t bytes, omt_store **given, omt_error *err)
{
	omt_store *store = calloc(1, sizeof *store);
	bool whole = store != NULL;
	*given = NULL;
	if (!whole)
		return OMT_FAIL(err, NO_MEMORY, "%d threads", threads);
	store->model = model;
	store->dataset = dataset;
	store->max_tokens = max_tokens;
	store->limit = bytes;
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->queued, NULL);
	pthread_cond_init(&store->changed, NULL);
	store->entries = calloc(dataset->catalog_count, sizeof *store->entries);
	for (uint32_t i = 0; store->entries && i < dataset->catalog_count; i++) {
		const uint32_t count = omt_catalog_ids(dataset->catalogs[i])->count;
		store->entries[i] = calloc(count, sizeof(omt_entry *));
		whole = whole && store->entries[i];
	}
	if (!store->entries || !whole) {
		omt_store_close(store);
		return OMT_FAIL(err, NO_MEMORY, "items of %u lists", dataset->catalog_count);
	}
	while (store->thread_count < threads && store->thread_count < MAX_THREADS &&
	       pthread_create(&store->threads[store->thread_count], NULL, work, store) == 0)
		store->thread_count++; /* without any, the caller makes all */
	*given = store;
	return OMT_OK;
}

static void free_entry(omt_entry *entry)
{
	if (entry && entry->state == READY)
		omt_sample_free(&entry->sample);
	if (entry)
		free(entry->reason);
	free(entry);
}

void omt_store_close(omt_store *store)
{
	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->stop = true;
	pthread_cond_broadcast(&store->queued);
	pthread_mutex_unlock(&store->lock);
	for (int32_t i = 0; i < store->thread_count; i++)
		pthread_join(store->threads[i], NULL);
	for (uint32_t i = 0; store->entries && i < store->dataset->catalog_count; i++) {
		const uint32_t count = omt_catalog_ids(store->dataset->catalogs[i])->count;
		for (uint32_t j = 0; store->entries[i] && j < count; j++)
			free_entry(store->entries[i][j]);
		free(store->entries[i]);
	}
	free(store->entries);
	pthread_cond_destroy(&store->queued);
	pthread_cond_destroy(&store->changed);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* ---- using --------------------------------------------------------------------------------- */

static omt_entry **place_of(const omt_store *store, omt_item_key key)
{
	return &store->entries[key >> 32][(uint32_t)key];
}

/* A new entry in the queue; NULL: no memory. Locked. */
static omt_entry *new_entry(omt_store *store, omt_item_key key)
{
	omt_entry *entry = calloc(1, sizeof *entry);
	if (!entry)
		return NULL;
	entry->key = key;
	*place_of(store, key) = entry;
	enqueue(store, entry);
	return entry;
}

void omt_store_hint(omt_store *store, omt_item_key key)
{
	pthread_mutex_lock(&store->lock);
	if (!*place_of(store, key))
		new_entry(store, key);
	pthread_mutex_unlock(&store->lock);
}

const omt_sample *omt_store_take(omt_store *store, omt_item_key key, omt_error *failed)
{
	const omt_sample *sample = NULL;
	const double begin_s = omt_now_s();
	*failed = (omt_error){0};
	pthread_mutex_lock(&store->lock);
	omt_entry *entry = *place_of(store, key);
	entry = entry ? entry : new_entry(store, key);
	if (entry && entry->state == QUEUED) { /* out of its turn */
		dequeue(store, entry);
		make_entry(store, entry);
	}
	while (entry && entry->state == MAKING)
		pthread_cond_wait(&store->changed, &store->lock);
	if (!entry) {
		OMT_FAIL(failed, NO_MEMORY, "an item");
	} else if (entry->state == READY) {
		entry->uses++;
		sample = &entry->sample;
	} else if (!entry->told) {
		entry->told = true;
		omt_fail(failed, entry->status, "%s", entry->reason ? entry->reason : "no memory");
	}
	store->counts.waited_s += omt_now_s() - begin_s;
	pthread_mutex_unlock(&store->lock);
	return sample;
}

void omt_store_release(omt_store *store, omt_item_key key)
{
	pthread_mutex_lock(&store->lock);
	omt_entry **place = place_of(store, key), *entry = *place;
	entry->uses--;
	if (!entry->uses && store->counts.bytes > store->limit) {
		store->counts.bytes -= entry->bytes;
		*place = NULL;
		free_entry(entry);
	}
	pthread_mutex_unlock(&store->lock);
}

bool omt_store_failed(omt_store *store, omt_item_key key)
{
	pthread_mutex_lock(&store->lock);
	const omt_entry *entry = *place_of(store, key);
	const bool failed = entry && entry->state == FAILED;
	pthread_mutex_unlock(&store->lock);
	return failed;
}

omt_store_counts omt_store_count(omt_store *store)
{
	pthread_mutex_lock(&store->lock);
	const omt_store_counts counts = store->counts;
	pthread_mutex_unlock(&store->lock);
	return counts;
}
