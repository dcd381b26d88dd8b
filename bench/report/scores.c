/* Tables of records: their points in the grid, and retrieval with a column a measure. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

/* ---- retrieval: a column a measure --------------------------------------------------------- */

typedef struct omt_measure_at {
	const char *measure, *cut;
} omt_measure_at;

/* Measures of any record, in the order met. */
static size_t find_measures(const omt_results *report, omt_measure_at *measures, size_t room)
{
	size_t count = 0;
	for (size_t r = 0; r < report->count; r++) {
		const char *measure, *cut;
		json_t *cuts, *value;
		const json_t *measured =
			omt_report_at(report->records[r].root, "retrieval.measured");
		json_object_foreach((json_t *)(uintptr_t)measured, measure, cuts)
			json_object_foreach(cuts, cut, value)
		{
			size_t i = 0;
			while (i < count && (strcmp(measures[i].measure, measure) != 0 ||
			                     strcmp(measures[i].cut, cut) != 0))
				i++;
			if (i == count && count < room)
				measures[count++] = (omt_measure_at){measure, cut};
		}
	}
	return count;
}

static omt_status add_scores(omt_results *report, omt_sheet *table, const omt_record *record,
                             const omt_measure_at *measures, size_t count, bool chance,
                             const char *about, omt_error *err)
{
	omt_cell *row = omt_sheet_row(table, err);
	if (!row)
		return OMT_NO_MEMORY;
	size_t at = omt_sheet_fill_keys(report, record, row);
	if (chance && about) /* of all records */
		for (size_t i = 0; i < at; i++)
			row[i].text = i ? NULL : about;
	row[at++].text = chance ? "chance" : "measured";
	row[at++].value = omt_report_number(record->root, "retrieval.queries");
	row[at++].value = omt_report_number(record->root, "retrieval.passages");
	for (size_t i = 0; i < count; i++) {
		omt_measured score = omt_record_score(record, measures[i].measure, measures[i].cut);
		row[at].value = chance ? score.chance : score.value;
		row[at].low = chance ? NAN : score.low;
		row[at++].high = chance ? NAN : score.high;
	}
	table->invalid[table->row_count - 1] = chance;
	return OMT_OK;
}

omt_status omt_sheet_retrieval(omt_results *report, omt_sheet *table, omt_error *err)
{
	omt_measure_at measures[40];
	size_t count = find_measures(report, measures, sizeof measures / sizeof *measures);
	const json_t *first = NULL;
	bool same = true;
	OMT_TRY(omt_sheet_start(table, err));
	omt_sheet_keys(report, table);
	omt_sheet_add(table, (omt_sheet_column){"what", "", OMT_CELL_TEXT, 0});
	table->keys = table->column_count;
	omt_sheet_add(table, (omt_sheet_column){"queries", "queries", OMT_CELL_COUNT, 0});
	omt_sheet_add(table, (omt_sheet_column){"passages", "passages", OMT_CELL_COUNT, 0});
	for (size_t i = 0; i < count; i++) {
		const char *name = omt_measure_name(report, measures[i].measure, measures[i].cut);
		omt_sheet_add(table, (omt_sheet_column){name, name, OMT_CELL_SCORE, 1});
	}
	for (size_t r = 0; count && r < report->count; r++) {
		const json_t *root = report->records[r].root;
		const json_t *chance = omt_report_at(root, "retrieval.chance");
		if (!omt_report_at(root, "retrieval.measured"))
			continue;
		first = first ? first : chance;
		same = same && json_equal(first, chance);
		OMT_TRY(add_scores(report, table, &report->records[r], measures, count, false, NULL,
		                   err));
	}
	for (size_t r = 0; first && r < report->count; r++) {
		if (!omt_report_at(report->records[r].root, "retrieval.chance"))
			continue;
		OMT_TRY(add_scores(report, table, &report->records[r], measures, count, true,
		                   same ? "all" : NULL, err));
		if (same)
			break;
	}
	return OMT_OK;
}

/* ---- the grid ---------------------------------------------------------------------------- */

/* "5 of 5 valid"; loud when one is not. */
static omt_cell valid_cell(omt_results *report, const omt_record *record)
{
	size_t i, invalid = 0, count = json_array_size(record->parts);
	json_t *part;
	json_array_foreach(record->parts, i, part) invalid += omt_part_invalid(part);
	return (omt_cell){
		.value = NAN,
		.low = NAN,
		.high = NAN,
		.text = invalid ? omt_report_text(report, "%zu of %zu INVALID", invalid, count)
	                        : omt_report_text(report, "%zu valid", count),
		.loud = invalid > 0};
}

/* The columns after those that tell the points apart. */
static void add_point_columns(omt_results *report, omt_sheet *table, const char *measure,
                              const char *cut)
{
	const char *score = *measure ? omt_measure_name(report, measure, cut) : "score";
	const omt_sheet_column columns[] = {
		{"front", "Pareto", OMT_CELL_TEXT, 0},
		{"speed", omt_report_speed_name(report), OMT_CELL_REAL, 1},
		{"latency_ms", "mean ms", OMT_CELL_REAL, -1},
		{"joules_per_item", "J/item", OMT_CELL_REAL, -1},
		{score, score, OMT_CELL_SCORE, 1},
		{"host_peak_bytes", "host peak", OMT_CELL_BYTES, -1},
		{"device_bytes", "device", OMT_CELL_BYTES, -1},
		{"parts", "parts", OMT_CELL_TEXT, 0},
		{"date", "date", OMT_CELL_TEXT, 0},
		{"record", "record", OMT_CELL_TEXT, 0},
	};
	for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
		omt_sheet_add(table, columns[i]);
}

static omt_status fill_points(omt_results *report, omt_sheet *table, const char *measure,
                              const char *cut, const bool *front, omt_error *err)
{
	for (size_t r = 0; r < report->count; r++) {
		const omt_record *record = &report->records[r];
		omt_cell *row = omt_sheet_row(table, err);
		if (!row)
			return OMT_NO_MEMORY;
		size_t at = omt_sheet_fill_keys(report, record, row);
		omt_measured score = omt_record_score(record, measure, cut);
		row[at++].text = front[r] ? "front" : NULL;
		row[at++].value = record->speed;
		row[at++].value = omt_record_latency_ms(record);
		row[at++].value = omt_record_joules_per_item(record);
		row[at++] = (omt_cell){.value = score.value, .low = score.low, .high = score.high};
		row[at++].value = omt_report_number(record->root, "memory.host_peak_bytes");
		row[at++].value = omt_report_number(record->root, "memory.device_bytes");
		row[at++] = valid_cell(report, record);
		row[at++].text = omt_report_string(record->root, "date");
		row[at++].text = record->place;
		table->invalid[r] = omt_record_invalid(record);
	}
	return OMT_OK;
}

omt_status omt_sheet_points(omt_results *report, omt_sheet *table, omt_error *err)
{
	const char *measure = "", *cut = "";
	if (report->count < 2)
		return OMT_OK;
	(void)omt_report_main_measure(report, &measure, &cut);
	OMT_TRY(omt_sheet_start(table, err));
	omt_sheet_keys(report, table);
	table->keys = table->column_count;
	add_point_columns(report, table, measure, cut);
	bool *front = calloc(report->count, sizeof *front);
	if (!front)
		return OMT_FAIL(err, NO_MEMORY, "table %s", table->name);
	omt_report_front(report, front);
	omt_status status = fill_points(report, table, measure, cut, front, err);
	free(front);
	return status;
}
