#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "train/negatives.h"

typedef struct omt_catalog_use {
	const char *path; /* borrowed from the settings */
	omt_role role;
	omt_fusion fusion;
} omt_catalog_use;

/* ---- lists --------------------------------------------------------------------------------- */

/* The catalog that reads `path` so: one that is open, or a new one. */
static omt_status find_catalog(omt_dataset *dataset, const omt_train_settings *settings,
                               omt_catalog_use use, const omt_progress *progress, uint32_t *number,
                               omt_error *err)
{
	omt_limits limits = settings->limits;
	for (*number = 0; *number < dataset->catalog_count; (*number)++) {
		const omt_catalog_use *one = &dataset->uses[*number];
		if (one->role == use.role && one->fusion == use.fusion &&
		    (!strcmp(one->path, use.path) || omt_files_are_one(one->path, use.path)))
			return OMT_OK;
	}
	limits.fusion = use.fusion;
	OMT_TRY(omt_catalog_open(use.path, use.role, &limits, progress, &dataset->catalogs[*number],
	                         err));
	dataset->uses[dataset->catalog_count++] = use;
	return OMT_OK;
}

/* ---- pairs --------------------------------------------------------------------------------- */

static int by_query(const void *a, const void *b)
{
	const omt_pair *one = a, *other = b;
	if (one->query != other->query)
		return one->query < other->query ? -1 : 1;
	return (one->passage > other->passage) - (one->passage < other->passage);
}

static bool find(const omt_names *ids, const char *id, uint32_t *number)
{
	return omt_names_find(ids, id, strlen(id), number);
}

/* Judgements whose grade is above 0. */
static omt_status read_pairs(const omt_dataset *dataset, omt_train_set *set,
                             const omt_progress *progress, omt_error *err)
{
	const omt_table *table = &set->qrels->table;
	const omt_names *queries = omt_catalog_ids(dataset->catalogs[set->queries]);
	const omt_names *passages = omt_catalog_ids(dataset->catalogs[set->passages]);
	const char *first = NULL;
	uint64_t unknown = 0;
	set->pairs = malloc(((size_t)table->rows.count + 1) * sizeof *set->pairs);
	if (!set->pairs)
		return OMT_FAIL(err, NO_MEMORY, "%s: %u pairs", set->data->qrels,
		                table->rows.count);
	for (size_t i = 0; i < table->rows.count; i++) {
		const omt_row row = omt_table_row(table, i);
		const char *query = omt_names_get(&table->queries, row.query);
		const char *document = omt_names_get(&table->documents, row.document);
		omt_pair *pair = &set->pairs[set->count];
		const bool asked = find(queries, query, &pair->query);
		if (asked && find(passages, document, &pair->passage)) {
			set->count += row.value > 0;
			continue;
		}
		first = first ? first : asked ? document : query;
		unknown++;
	}
	if (unknown)
		omt_note(progress,
		         "%s: %llu of %u judgements are of ids that no list has, as \"%.80s\"",
		         set->data->qrels, (unsigned long long)unknown, table->rows.count, first);
	if (!set->count)
		return OMT_FAIL(
			err, BAD_FORMAT,
			"data set \"%s\" is empty: no judgement of %s above 0 is of a query "
			"and a passage of its lists",
			set->data->name, set->data->qrels);
	qsort(set->pairs, set->count, sizeof *set->pairs, by_query);
	return OMT_OK;
}

bool omt_train_set_relevant(const omt_train_set *set, uint32_t query, uint32_t passage)
{
	const omt_pair wanted = {query, passage};
	return bsearch(&wanted, set->pairs, set->count, sizeof wanted, by_query) != NULL;
}

/* ---- negatives ----------------------------------------------------------------------------- */

typedef struct omt_negative {
	omt_pair pair;
	uint32_t rank;  /* in its line */
	uint32_t order; /* in the file */
} omt_negative;

typedef struct omt_negatives {
	const omt_names *queries, *passages;
	const omt_train_set *set;
	omt_negative *found;
	size_t count, room;
	uint64_t unknown, positive;
} omt_negatives;

static omt_status take_negative(void *user, const char *query, const char *id, uint32_t rank,
                                omt_error *err)
{
	omt_negatives *all = user;
	omt_pair pair;
	if (!find(all->queries, query, &pair.query) || !find(all->passages, id, &pair.passage)) {
		all->unknown++;
		return OMT_OK;
	}
	if (omt_train_set_relevant(all->set, pair.query, pair.passage)) {
		all->positive++;
		return OMT_OK;
	}
	if (all->count == all->room) {
		const size_t room = all->room ? 2 * all->room : 256;
		omt_negative *larger = realloc(all->found, room * sizeof *larger);
		if (!larger || room > UINT32_MAX)
			return OMT_FAIL(err, NO_MEMORY, "%zu negatives", room);
		all->found = larger;
		all->room = room;
	}
	all->found[all->count] = (omt_negative){pair, rank, (uint32_t)all->count};
	all->count++;
	return OMT_OK;
}

static int by_rank(const void *a, const void *b)
{
	const omt_negative *one = a, *other = b;
	if (one->pair.query != other->pair.query)
		return one->pair.query < other->pair.query ? -1 : 1;
	if (one->rank != other->rank)
		return one->rank < other->rank ? -1 : 1;
	return (one->order > other->order) - (one->order < other->order);
}

/* By query, in each by rank: of a query with several lines, the first of each, then the second of
 * each. A passage that several of them name is there once. */
static omt_status group(omt_train_set *set, const omt_negatives *all, omt_error *err)
{
	const size_t queries = all->queries->count;
	uint32_t *last = calloc((size_t)all->passages->count + 1, sizeof *last), count = 0;
	set->starts = calloc(queries + 1, sizeof *set->starts);
	set->negatives = malloc((all->count + 1) * sizeof *set->negatives);
	if (!last || !set->starts || !set->negatives) {
		free(last);
		return OMT_FAIL(err, NO_MEMORY, "%zu negatives", all->count);
	}
	if (all->count)
		qsort(all->found, all->count, sizeof *all->found, by_rank);
	for (size_t i = 0; i < all->count; i++) {
		const omt_pair pair = all->found[i].pair;
		if (last[pair.passage] == pair.query + 1)
			continue;
		last[pair.passage] = pair.query + 1; /* who named it last */
		set->negatives[count++] = pair.passage;
		set->starts[pair.query + 1] = count;
	}
	for (size_t q = 1; q <= queries; q++) /* those without */
		if (set->starts[q] < set->starts[q - 1])
			set->starts[q] = set->starts[q - 1];
	free(last);
	return OMT_OK;
}

static omt_status read_negatives(const omt_dataset *dataset, omt_train_set *set,
                                 const omt_progress *progress, omt_error *err)
{
	omt_negatives all = {.queries = omt_catalog_ids(dataset->catalogs[set->queries]),
	                     .passages = omt_catalog_ids(dataset->catalogs[set->passages]),
	                     .set = set};
	const char *path = set->data->negatives;
	omt_status status;
	if (!*path)
		return OMT_OK;
	OMT_GOTO(omt_negatives_read(path, take_negative, &all, err));
	if (all.unknown || all.positive)
		omt_note(progress,
		         "%s: %llu negatives are of ids that no list has, %llu are positives; "
		         "left out",
		         path, (unsigned long long)all.unknown, (unsigned long long)all.positive);
	if (!all.count)
		omt_note(progress, "%s: no negative that can be used", path);
	status = group(set, &all, err);
done:
	free(all.found);
	return status;
}

/* ---- sets ---------------------------------------------------------------------------------- */

static omt_status open_set(omt_dataset *dataset, const omt_train_settings *settings,
                           const omt_train_data *data, const omt_progress *progress,
                           omt_train_set *set, omt_error *err)
{
	set->data = data;
	OMT_TRY(find_catalog(dataset, settings,
	                     (omt_catalog_use){data->queries, OMT_ROLE_QUERY, data->fusion},
	                     progress, &set->queries, err));
	OMT_TRY(find_catalog(dataset, settings,
	                     (omt_catalog_use){data->passages, OMT_ROLE_PASSAGE, data->fusion},
	                     progress, &set->passages, err));
	OMT_TRY(omt_qrels_load(data->qrels, &set->qrels, err));
	OMT_TRY(read_pairs(dataset, set, progress, err));
	return read_negatives(dataset, set, progress, err);
}

omt_status omt_dataset_open(const omt_train_settings *settings, const omt_progress *progress,
                            omt_dataset *dataset, omt_error *err)
{
	const size_t most = 2 * (settings->data_count + settings->eval_count);
	omt_status status = OMT_OK;
	*dataset = (omt_dataset){
		.catalogs = calloc(most, sizeof(omt_catalog *)),
		.uses = calloc(most, sizeof(omt_catalog_use)),
		.sets = calloc(settings->data_count, sizeof(omt_train_set)),
		.evals = calloc(settings->eval_count + 1, sizeof(omt_train_set)),
	};
	if (!dataset->catalogs || !dataset->uses || !dataset->sets || !dataset->evals) {
		status = OMT_FAIL(err, NO_MEMORY, "%zu lists", most);
		goto done;
	}
	for (; dataset->count < settings->data_count; dataset->count++) {
		omt_train_set *set = &dataset->sets[dataset->count];
		status = open_set(dataset, settings, &settings->data[dataset->count], progress, set,
		                  err);
		omt_qrels_free(set->qrels);
		set->qrels = NULL;
		if (status != OMT_OK) {
			dataset->count++; /* what it has is freed, too */
			goto done;
		}
	}
	for (size_t i = 0; i < settings->eval_count; i++) {
		dataset->eval_count++;
		OMT_GOTO(open_set(dataset, settings, &settings->evals[i], progress,
		                  &dataset->evals[i], err));
	}
done:
	if (status != OMT_OK)
		omt_dataset_close(dataset);
	return status;
}

static void close_sets(omt_train_set *sets, size_t count)
{
	for (size_t i = 0; sets && i < count; i++) {
		free(sets[i].pairs);
		free(sets[i].negatives);
		free(sets[i].starts);
		omt_qrels_free(sets[i].qrels);
	}
	free(sets);
}

void omt_dataset_close(omt_dataset *dataset)
{
	close_sets(dataset->sets, dataset->count);
	close_sets(dataset->evals, dataset->eval_count);
	for (uint32_t i = 0; i < dataset->catalog_count; i++)
		omt_catalog_close(dataset->catalogs[i]);
	free(dataset->catalogs);
	free(dataset->uses);
	*dataset = (omt_dataset){0};
}

omt_catalog *omt_dataset_catalog(const omt_dataset *dataset, omt_item_key key)
{
	return dataset->catalogs[key >> 32];
}

const char *omt_dataset_id(const omt_dataset *dataset, omt_item_key key)
{
	return omt_names_get(omt_catalog_ids(omt_dataset_catalog(dataset, key)), (uint32_t)key);
}

uint64_t omt_dataset_broken(const omt_dataset *dataset)
{
	uint64_t broken = 0;
	for (uint32_t i = 0; i < dataset->catalog_count; i++)
		broken += omt_catalog_broken(dataset->catalogs[i]);
	return broken;
}

/* ---- what tells a data set from another one ------------------------------------------------ */

static json_t *set_values(const omt_dataset *dataset, const omt_train_set *set)
{
	const omt_names *queries = omt_catalog_ids(dataset->catalogs[set->queries]);
	const omt_names *passages = omt_catalog_ids(dataset->catalogs[set->passages]);
	const size_t negatives = set->starts ? set->starts[queries->count] : 0;
	const omt_piece pieces[] = {
		{queries->bytes, queries->used},
		{passages->bytes, passages->used},
		{set->pairs, set->count * sizeof *set->pairs},
		{set->negatives, negatives * sizeof *set->negatives},
		{set->starts, set->starts ? (queries->count + 1) * sizeof *set->starts : 0},
	};
	char digest[OMT_DIGEST_TEXT];
	if (omt_digest_pieces(pieces, sizeof pieces / sizeof *pieces, digest, NULL) != OMT_OK)
		return NULL;
	return json_pack("{sI sI sI sI ss}", "queries", (json_int_t)queries->count, "passages",
	                 (json_int_t)passages->count, "pairs", (json_int_t)set->count, "negatives",
	                 (json_int_t)negatives, "digest", digest);
}

json_t *omt_dataset_values(const omt_dataset *dataset)
{
	json_t *all = json_object();
	for (size_t i = 0; i < dataset->count; i++) {
		const omt_train_set *set = &dataset->sets[i];
		if (json_object_set_new(all, set->data->name, set_values(dataset, set)) != 0) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

omt_status omt_dataset_lists(const omt_dataset *dataset, json_t **given, omt_error *err)
{
	json_t *all = *given = json_object();
	for (size_t i = 0; i < dataset->count; i++) {
		const omt_train_set *set = &dataset->sets[i];
		char queries[OMT_DIGEST_TEXT], passages[OMT_DIGEST_TEXT];
		OMT_TRY(omt_digest_file(set->data->queries, queries, err));
		OMT_TRY(omt_digest_file(set->data->passages, passages, err));
		if (json_object_set_new(
			    all, set->data->name,
			    json_pack("{ss ss}", "queries", queries, "passages", passages)) != 0)
			return OMT_FAIL(err, NO_MEMORY, "%s", set->data->name);
	}
	return OMT_OK;
}
