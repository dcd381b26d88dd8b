/* Rows and columns of the report's tables, and how cells are shown. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/median.h"
#include "bench/report/digits.h"
#include "bench/report/report.h"

#define MAX_KEYS 16

/* ---- rows ---------------------------------------------------------------------------------- */

size_t omt_sheet_add(omt_sheet *table, omt_sheet_column column)
{
	if (table->column_count < OMT_REPORT_COLUMNS)
		table->columns[table->column_count++] = column;
	return table->column_count - 1;
}

omt_status omt_sheet_start(omt_sheet *table, omt_error *err)
{
	table->columns = calloc(OMT_REPORT_COLUMNS, sizeof *table->columns);
	return table->columns ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "table %s", table->name);
}

void omt_sheet_free(omt_sheet *table)
{
	free(table->columns);
	free(table->cells);
	free(table->invalid);
	*table = (omt_sheet){0};
}

/* The number of the record and what varies: what a row is about. */
void omt_sheet_keys(omt_results *report, omt_sheet *table)
{
	if (report->count < 2)
		return;
	omt_sheet_add(table, (omt_sheet_column){"point", "#", OMT_CELL_TEXT, 0});
	for (size_t k = 0; k < report->varied_count && k < MAX_KEYS; k++) {
		const char *key = report->varied[k].key;
		omt_sheet_add(table,
		              (omt_sheet_column){key, omt_report_short(key), OMT_CELL_TEXT, 0});
	}
}

omt_cell *omt_sheet_row(omt_sheet *table, omt_error *err)
{
	if (table->row_count == table->row_room) {
		size_t room = table->row_room ? 2 * table->row_room : 16;
		omt_cell *cells = realloc(table->cells, room * table->column_count * sizeof *cells);
		if (cells)
			table->cells = cells;
		bool *invalid = realloc(table->invalid, room * sizeof *invalid);
		if (invalid)
			table->invalid = invalid;
		if (!cells || !invalid) {
			(void)OMT_FAIL(err, NO_MEMORY, "table %s", table->name);
			return NULL;
		}
		table->row_room = room;
	}
	omt_cell *row = table->cells + table->row_count * table->column_count;
	table->invalid[table->row_count++] = false;
	for (size_t i = 0; i < table->column_count; i++)
		row[i] = (omt_cell){.value = NAN, .low = NAN, .high = NAN};
	return row;
}

/* Cells of omt_sheet_keys(); returns how many. */
size_t omt_sheet_fill_keys(const omt_results *report, const omt_record *record, omt_cell *row)
{
	size_t used = 0;
	if (report->count < 2)
		return 0;
	row[used++].text = record->number;
	for (size_t k = 0; k < report->varied_count && k < MAX_KEYS; k++) {
		const char *key = report->varied[k].key;
		row[used++].text = json_string_value(json_object_get(record->facts, key));
	}
	return used;
}

/* ---- how cells are shown ------------------------------------------------------------------- */

/* Of the magnitudes in a column the one that a quarter of them lie below. */
static double typical(const omt_sheet *table, size_t column)
{
	double *values = calloc(table->row_count + 1, sizeof *values), found = 0;
	size_t count = 0;
	for (size_t r = 0; values && r < table->row_count; r++) {
		double value = table->cells[r * table->column_count + column].value;
		if (isfinite(value) && value != 0)
			values[count++] = fabs(value);
	}
	if (count) {
		omt_reals_sort(values, count);
		found = values[count / 4];
	}
	free(values);
	return found;
}

omt_sheet_style omt_sheet_styled(const omt_sheet *table, size_t column)
{
	omt_sheet_style style = {.unit = "", .scale = 1};
	double value = typical(table, column);
	for (size_t r = 0; r < table->row_count && !style.shown; r++) {
		const omt_cell *cell = &table->cells[r * table->column_count + column];
		style.shown = cell->text || isfinite(cell->value);
	}
	switch (table->columns[column].kind) {
	case OMT_CELL_TEXT:
	case OMT_CELL_COUNT:
		break;
	case OMT_CELL_REAL:
		style.decimals = omt_digits_decimals(value);
		break;
	case OMT_CELL_SHARE:
		style.unit = "%";
		style.scale = 100;
		style.decimals = value < 0.1 ? 1 : 0;
		break;
	case OMT_CELL_SCORE:
		style.decimals = 3;
		break;
	case OMT_CELL_BYTES: {
		omt_bytes_unit unit = omt_digits_unit(value);
		style.unit = unit.name;
		style.scale = 1 / unit.bytes;
		style.decimals = omt_digits_decimals(value * style.scale);
		break;
	}
	}
	return style;
}

const char *omt_cell_shown(omt_results *report, const omt_sheet *table, size_t row, size_t column,
                           omt_sheet_style style)
{
	const omt_cell *cell = &table->cells[row * table->column_count + column];
	double value = cell->value * style.scale;
	if (table->columns[column].kind == OMT_CELL_TEXT)
		return cell->text ? cell->text : "–";
	/* A value far below the others of its column has its own digits. */
	int decimals = style.decimals;
	if (table->columns[column].kind == OMT_CELL_REAL && fabs(value) < 10 * pow(10, -decimals))
		decimals = omt_digits_decimals(value);
	return omt_report_text(report, "%s", omt_digits_fixed(value, decimals).text);
}

const char *omt_cell_interval(omt_results *report, const omt_cell *cell)
{
	return isfinite(cell->low) && isfinite(cell->high)
	               ? omt_report_text(report, "%s to %s", omt_digits_fixed(cell->low, 3).text,
	                                 omt_digits_fixed(cell->high, 3).text)
	               : NULL;
}

/* ---- the best ---------------------------------------------------------------------------- */

bool omt_cell_is_best(const omt_sheet *table, size_t first, size_t last, size_t row, size_t column)
{
	int better = table->columns[column].better;
	size_t beaten = 0;
	double own = table->cells[row * table->column_count + column].value;
	if (!better || table->invalid[row] || !isfinite(own))
		return false;
	for (size_t r = first; r < last; r++) {
		double value = table->cells[r * table->column_count + column].value;
		if (table->invalid[r] || !isfinite(value))
			continue;
		if (better * value > better * own)
			return false;
		beaten += better * value < better * own;
	}
	return beaten > 0;
}
