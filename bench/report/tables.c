/* The report's tables: one list of columns each, by which HTML, Markdown and CSV show them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"

/* A column and where its value is: a path in the row's object, or in its record after a '/'. */
typedef struct omt_field {
	omt_sheet_column column;
	const char *path;
} omt_field;

#define TEXT(key, title, path)                       \
	{                                            \
		{key, title, OMT_CELL_TEXT, 0}, path \
	}
#define COUNT(key, title, path)                       \
	{                                             \
		{key, title, OMT_CELL_COUNT, 0}, path \
	}
#define REAL(key, title, better, path)                    \
	{                                                 \
		{key, title, OMT_CELL_REAL, better}, path \
	}
#define SHARE(key, title, better, path)                    \
	{                                                  \
		{key, title, OMT_CELL_SHARE, better}, path \
	}
#define BYTES(key, title, better, path)                    \
	{                                                  \
		{key, title, OMT_CELL_BYTES, better}, path \
	}

static const omt_field part_fields[] = {
	TEXT("modality", "modality", "modality"),
	TEXT("file", "of", "file"),
	TEXT("mode", "mode", "mode"),
	TEXT("valid", "valid", "valid"),
	REAL("items_per_s", "items/s", 1, "items_per_s"),
	REAL("tokens_per_s", "tokens/s", 1, "tokens_per_s"),
	REAL("queries_per_s", "queries/s", 1, "queries_per_s"),
	REAL("rate", "rate /s", 1, "rate"),
	REAL("p50_ms", "p50 ms", -1, "latency_ms.p50"),
	REAL("p90_ms", "p90 ms", -1, "latency_ms.p90"),
	REAL("p95_ms", "p95 ms", -1, "latency_ms.p95"),
	REAL("p99_ms", "p99 ms", -1, "latency_ms.p99"),
	REAL("p99_9_ms", "p99.9 ms", -1, "latency_ms.p99_9"),
	REAL("max_ms", "max ms", -1, "latency_ms.max"),
	REAL("headline_ms", "headline ms", -1, "headline.latency_ms"),
	REAL("at_most_ms", "at most ms", -1, "headline.at_most_ms"),
	REAL("target_latency_ms", "target ms", 0, "target_latency_ms"),
	SHARE("hidden_share", "hidden", 1, "hidden_share"),
	REAL("serial_items_per_s", "items/s, 1 slot", 0, "serial.items_per_s"),
	REAL("joules_per_item", "J/item", -1, "energy.joules_per_item"),
	COUNT("items", "items", "items"),
	COUNT("failed", "failed", "failed"),
	COUNT("queries", "queries", "queries"),
	REAL("duration_s", "s", 0, "duration_s"),
	SHARE("overhead_share", "harness", -1, "overhead.share"),
	TEXT("reasons", "why invalid", "reasons"),
	TEXT("remarks", "remarks", "remarks"),
	{{0}, NULL},
};

static const omt_field stage_fields[] = {
	TEXT("modality", "modality", "modality"),
	TEXT("file", "of", "file"),
	TEXT("mode", "mode", "mode"),
	REAL("queue_ms", "queue", 0, "stages_ms.queue.mean"),
	REAL("decode_ms", "decode", -1, "stages_ms.decode.mean"),
	REAL("preprocess_ms", "preprocess", -1, "stages_ms.preprocess.mean"),
	REAL("pack_ms", "pack", -1, "stages_ms.pack.mean"),
	REAL("transfer_ms", "transfer", -1, "stages_ms.transfer.mean"),
	REAL("compute_ms", "compute", -1, "stages_ms.compute.mean"),
	REAL("total_ms", "total", -1, "stages_ms.total.mean"),
	REAL("total_p99_ms", "total p99", -1, "stages_ms.total.p99"),
	REAL("prepare_s", "prepare s", 0, "stages_s.prepare"),
	REAL("transfer_s", "transfer s", 0, "stages_s.transfer"),
	REAL("compute_s", "compute s", 0, "stages_s.compute"),
	REAL("hidden_prepare_s", "prepare hidden s", 0, "stages_s.hidden_prepare"),
	REAL("hidden_transfer_s", "transfer hidden s", 0, "stages_s.hidden_transfer"),
	{{0}, NULL},
};

static const omt_field modality_fields[] = {
	TEXT("modality", "modality", "modality"),
	COUNT("items", "items", "items"),
	COUNT("failed", "failed", "failed"),
	REAL("items_per_s", "items/s", 1, "items_per_s"),
	REAL("tokens_per_s", "tokens/s", 1, "tokens_per_s"),
	REAL("p50_ms", "p50 ms", -1, "latency_ms.p50"),
	REAL("p90_ms", "p90 ms", -1, "latency_ms.p90"),
	REAL("p99_ms", "p99 ms", -1, "latency_ms.p99"),
	REAL("p99_9_ms", "p99.9 ms", -1, "latency_ms.p99_9"),
	{{0}, NULL},
};

static const omt_field search_fields[] = {
	REAL("rate", "rate /s", 0, "rate"),
	TEXT("valid", "valid", "valid"),
	REAL("latency_ms", "latency ms", 0, "latency_ms"),
	COUNT("queries", "queries", "queries"),
	{{0}, NULL},
};

static const omt_field start_fields[] = {
	REAL("model_s", "checkpoint s", -1, "/start.model_s"),
	REAL("build_s", "kernels s", -1, "/start.build_s"),
	REAL("load_s", "weights s", -1, "/start.load_s"),
	REAL("open_s", "ready s", -1, "/start.open_s"),
	REAL("first_s", "first vector s", -1, "/start.first_s"),
	BYTES("host_peak_bytes", "host peak", -1, "/memory.host_peak_bytes"),
	BYTES("device_bytes", "device", -1, "/memory.device_bytes"),
	BYTES("weights_bytes", "weights", -1, "/memory.weights_bytes"),
	SHARE("overhead_share", "harness", -1, "/overhead.share"),
	{{0}, NULL},
};

static const omt_field op_fields[] = {
	TEXT("op", "op", "op"),
	COUNT("launches", "launches", "launches"),
	REAL("seconds", "s", 0, "seconds"),
	REAL("gflops", "GFLOP/s", 1, "gflops"),
	REAL("gbytes_per_s", "GB/s", 1, "gbytes_per_s"),
	REAL("flops", "FLOP", 0, "flops"),
	REAL("bytes", "bytes", 0, "bytes"),
	TEXT("bound", "bound by", "bound"),
	SHARE("roof_share", "of its roof", 1, "roof_share"),
	{{0}, NULL},
};

static const omt_field device_fields[] = {
	TEXT("device", "device", "device"),
	TEXT("part", "part", "part"),
	COUNT("items", "items", "items"),
	COUNT("batches", "batches", "batches"),
	REAL("compute_s", "computing s", 0, "compute_s"),
	REAL("gflops", "GFLOP/s", 1, "gflops"),
	BYTES("memory_bytes", "memory", 0, "memory_bytes"),
	TEXT("error", "failed", "error"),
	{{0}, NULL},
};

/* ---- rows ---------------------------------------------------------------------------------- */

static const char *text_of(omt_results *report, const json_t *object, const char *path, bool *loud)
{
	int truth = omt_report_truth(object, path);
	if (json_is_array(omt_report_at(object, path))) {
		const char *lines = omt_report_lines(report, object, path);
		return *lines ? lines : NULL;
	}
	if (!strcmp(path, "mode"))
		return omt_part_mode(object);
	if (strcmp(path, "valid") != 0)
		return omt_report_string(object, path);
	*loud = truth == 0;
	return truth < 0 ? NULL : truth ? "valid" : "INVALID";
}

static void fill(omt_results *report, const omt_field *field, const omt_record *record,
                 const json_t *object, omt_cell *cell)
{
	const char *path = field->path;
	if (*path == '/') {
		object = record->root;
		path++;
	}
	if (field->column.kind == OMT_CELL_TEXT)
		cell->text = text_of(report, object, path, &cell->loud);
	else
		cell->value = omt_report_number(object, path);
	if (!isfinite(cell->value) && !strcmp(path, "duration_s"))
		cell->value = omt_report_number(object, "wall_s"); /* of layout 1 */
}

static omt_status add_object(omt_results *report, omt_sheet *table, const omt_field *fields,
                             const omt_record *record, const json_t *object, omt_error *err)
{
	omt_cell *row = omt_sheet_row(table, err);
	if (!row)
		return OMT_NO_MEMORY;
	size_t at = 0, fixed = 0;
	while (fixed < table->groups) {
		fill(report, &fields[fixed++], record, object, &row[at]);
		at++;
	}
	at += omt_sheet_fill_keys(report, record, row + at);
	for (const omt_field *field = fields + fixed; field->path; field++)
		fill(report, field, record, object, &row[at++]);
	table->invalid[table->row_count - 1] = omt_part_invalid(object);
	return OMT_OK;
}

/* Columns: those of groups, what varies, the rest. */
static omt_status set_fields(omt_results *report, omt_sheet *table, const omt_field *fields,
                             size_t texts, omt_error *err)
{
	size_t i = 0;
	OMT_TRY(omt_sheet_start(table, err));
	for (; i < table->groups; i++)
		omt_sheet_add(table, fields[i].column);
	omt_sheet_keys(report, table);
	table->keys = table->column_count + texts;
	for (; fields[i].path; i++)
		omt_sheet_add(table, fields[i].column);
	return OMT_OK;
}

/* ---- tables -------------------------------------------------------------------------------- */

/* Rows of all records' parts, those of one mode, file and modality together, in the order met. */
static omt_status fill_parts(omt_results *report, omt_sheet *table, const omt_field *fields,
                             const char *needed, omt_error *err)
{
	const char *name;
	json_t *pairs, *names = omt_report_part_groups(report, needed);
	omt_status status = names ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "table %s", table->name);
	json_object_foreach(names, name, pairs) for (size_t i = 0;
	                                             i < json_array_size(pairs) && status == OMT_OK;
	                                             i++)
	{
		const json_t *pair = json_array_get(pairs, i);
		status = add_object(report, table, fields, omt_group_record(report, pair),
		                    omt_group_part(report, pair), err);
	}
	json_decref(names);
	return status;
}

static omt_status make_parts(omt_results *report, omt_sheet *table, omt_error *err)
{
	table->groups = 3;
	OMT_TRY(set_fields(report, table, part_fields, 0, err));
	return fill_parts(report, table, part_fields, NULL, err);
}

static omt_status make_stages(omt_results *report, omt_sheet *table, omt_error *err)
{
	table->groups = 3;
	OMT_TRY(set_fields(report, table, stage_fields, 0, err));
	return fill_parts(report, table, stage_fields, "stages_ms", err);
}

/* Rows of the objects in each record that `next` of its parts hold. */
static omt_status make_modalities(omt_results *report, omt_sheet *table, omt_error *err)
{
	table->groups = 1;
	OMT_TRY(set_fields(report, table, modality_fields, 0, err));
	for (size_t r = 0; r < report->count; r++) {
		size_t i;
		json_t *part, *modality;
		const char *name;
		json_array_foreach(report->records[r].parts, i, part) json_object_foreach(
			(json_t *)(uintptr_t)omt_report_at(part, "modalities"), name, modality)
		{
			OMT_TRY(add_object(report, table, modality_fields, &report->records[r],
			                   modality, err));
			table->cells[(table->row_count - 1) * table->column_count].text = name;
		}
	}
	return OMT_OK;
}

static omt_status make_search(omt_results *report, omt_sheet *table, omt_error *err)
{
	OMT_TRY(set_fields(report, table, search_fields, 1, err));
	for (size_t r = 0; r < report->count; r++) {
		size_t i, k;
		json_t *part, *trial;
		json_array_foreach(report->records[r].parts, i, part)
			json_array_foreach(omt_report_at(part, "search"), k, trial)
				OMT_TRY(add_object(report, table, search_fields,
		                                   &report->records[r], trial, err));
	}
	return OMT_OK;
}

static omt_status make_start(omt_results *report, omt_sheet *table, omt_error *err)
{
	OMT_TRY(set_fields(report, table, start_fields, 0, err));
	for (size_t r = 0; r < report->count; r++)
		OMT_TRY(add_object(report, table, start_fields, &report->records[r], NULL, err));
	return OMT_OK;
}

/* Rows of an array in each record. */
static omt_status make_array(omt_results *report, omt_sheet *table, const omt_field *fields,
                             const char *path, size_t least, omt_error *err)
{
	OMT_TRY(set_fields(report, table, fields, 1, err));
	for (size_t r = 0; r < report->count; r++) {
		size_t i;
		json_t *entry;
		const json_t *array = omt_report_at(report->records[r].root, path);
		if (json_array_size(array) < least)
			continue;
		json_array_foreach(array, i, entry)
			OMT_TRY(add_object(report, table, fields, &report->records[r], entry, err));
	}
	return OMT_OK;
}

static omt_status make_ops(omt_results *report, omt_sheet *table, omt_error *err)
{
	return make_array(report, table, op_fields, "ops", 1, err);
}

static omt_status make_devices(omt_results *report, omt_sheet *table, omt_error *err)
{
	return make_array(report, table, device_fields, "engine.devices", 2, err);
}

/* ---- all of them ------------------------------------------------------------------------- */

omt_status omt_report_tables(omt_results *report, omt_sheets *tables, omt_error *err)
{
	static const struct {
		const char *name, *title, *caption;
		omt_status (*make)(omt_results *report, omt_sheet *table, omt_error *err);
		bool details;
	} makers[OMT_REPORT_TABLES] = {
		{"points", "Points of the grid",
	         "A row a record: items a second over all passages, quality, memory.",
	         omt_sheet_points, false},
		{"parts", "Throughput and latency",
	         "A row a measured part. Latency percentiles are of all samples, by nearest rank; "
	         "hidden is the share of preparation and transfer that ran while a device "
	         "computed.",
	         make_parts, false},
		{"modalities", "Server mode by modality",
	         "Requests of all modalities arrive mixed; latency is from the scheduled arrival.",
	         make_modalities, false},
		{"search", "Search for the highest valid rate",
	         "Trials of server mode: the latency percentile that counts, at each rate.",
	         make_search, true},
		{"retrieval", "Retrieval quality",
	         "Means over queries with 95 % bootstrap intervals, and what a random order gives.",
	         omt_sheet_retrieval, false},
		{"start", "Start-up and memory",
	         "Seconds from nothing to ready and to the first vector; memory at its peak.",
	         make_start, false},
		{"stages", "Time by stage",
	         "Mean milliseconds a request spends in each stage, and sums over the part.",
	         make_stages, true},
		{"ops", "Time by op",
	         "Of the profiled pass: what each op achieved, and its share of the roof over it.",
	         make_ops, true},
		{"devices", "Work by device",
	         "What each device computed, and the speed by which it was given batches.",
	         make_devices, false},
	};
	*tables = (omt_sheets){0};
	for (size_t i = 0; i < OMT_REPORT_TABLES; i++) {
		omt_sheet *table = &tables->table[tables->count];
		*table = (omt_sheet){.name = makers[i].name,
		                     .title = makers[i].title,
		                     .caption = makers[i].caption,
		                     .details = makers[i].details};
		tables->count++; /* freed whatever comes */
		OMT_TRY(makers[i].make(report, table, err));
		bool filled = false;
		for (size_t c = table->keys; c < table->column_count && !filled; c++)
			filled = omt_sheet_styled(table, c).shown;
		if (!filled) {
			omt_sheet_free(table);
			tables->count--;
		}
	}
	return report->exhausted ? OMT_FAIL(err, NO_MEMORY, "the tables") : OMT_OK;
}

void omt_report_tables_free(omt_sheets *tables)
{
	for (size_t i = 0; i < tables->count; i++)
		omt_sheet_free(&tables->table[i]);
	tables->count = 0;
}
