/* What parts and records tell, in words and figures that tables and plots share. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/report.h"

const char *omt_part_mode(const json_t *part)
{
	const char *mode = omt_report_string(part, "mode");
	return mode ? mode : "offline"; /* the only one of layout 1 */
}

const char *omt_part_subject(omt_results *report, const json_t *part)
{
	const char *file = omt_report_string(part, "file");
	const char *modality = omt_report_string(part, "modality");
	return omt_report_text(report, "%.40s%s%.40s", modality ? modality : "",
	                       file && modality ? " " : "", file ? file : "");
}

const char *omt_part_name(omt_results *report, const json_t *part)
{
	const char *subject = omt_part_subject(report, part);
	return omt_report_text(report, "%s%s%.40s", subject, *subject ? ", " : "",
	                       omt_part_mode(part));
}

bool omt_part_invalid(const json_t *part)
{
	return omt_report_truth(part, "valid") == 0;
}

const char *omt_report_lines(omt_results *report, const json_t *object, const char *path)
{
	const json_t *lines = omt_report_at(object, path);
	const char *text = "";
	for (size_t i = 0; i < json_array_size(lines) && i < 8; i++) {
		const char *line = json_string_value(json_array_get(lines, i));
		if (line)
			text = omt_report_text(report, "%s%s%.200s", text, *text ? "; " : "", line);
	}
	return text;
}

static bool is_of_passages(const json_t *part)
{
	const char *file = omt_report_string(part, "file");
	return file && !strcmp(file, "passages");
}

/* Offline parts, measured or modelled. */
static bool counts_for_speed(const json_t *part)
{
	const char *mode = omt_part_mode(part);
	return !strcmp(mode, "offline") || !strcmp(mode, "modelled");
}

/* Items and seconds of the offline parts together. */
static double offline_speed(const omt_record *record, bool passages_only)
{
	double items = 0, seconds = 0;
	size_t i;
	json_t *part;
	json_array_foreach(record->parts, i, part)
	{
		double own = omt_report_number(part, "items");
		double speed = omt_report_number(part, "items_per_s");
		if (!counts_for_speed(part) || (passages_only && !is_of_passages(part)) ||
		    !(speed > 0) || !(own > 0))
			continue;
		items += own;
		seconds += own / speed;
	}
	return seconds > 0 ? items / seconds : NAN;
}

bool omt_report_is_server(const omt_results *report)
{
	for (size_t r = 0; r < report->count; r++)
		if (isfinite(offline_speed(&report->records[r], false)))
			return false;
	return true;
}

const char *omt_report_speed_name(const omt_results *report)
{
	return omt_report_is_server(report) ? "queries/s" : "items/s, all passages";
}

/* The two are not compared with each other. */
void omt_report_find_speeds(omt_results *report)
{
	bool server = omt_report_is_server(report);
	for (size_t r = 0; r < report->count; r++) {
		omt_record *record = &report->records[r];
		size_t i;
		json_t *part;
		record->speed = offline_speed(record, true);
		if (!isfinite(record->speed))
			record->speed = offline_speed(record, false);
		json_array_foreach(record->parts, i,
		                   part) if (server && !strcmp(omt_part_mode(part), "server"))
			record->speed = omt_report_number(part, "rate");
	}
}

bool omt_record_invalid(const omt_record *record)
{
	size_t i;
	json_t *part;
	json_array_foreach(record->parts, i, part) if (omt_part_invalid(part)) return true;
	return false;
}

/* ---- retrieval ----------------------------------------------------------------------------- */

omt_measured omt_record_score(const omt_record *record, const char *measure, const char *cut)
{
	const json_t *retrieval = omt_report_at(record->root, "retrieval");
	const json_t *found = json_object_get(
		json_object_get(json_object_get(retrieval, "measured"), measure), cut);
	const json_t *chance = json_object_get(
		json_object_get(json_object_get(retrieval, "chance"), measure), cut);
	omt_measured score = {NAN, NAN, NAN, NAN};
	if (json_is_number(found)) { /* layout 1 */
		score.value = json_number_value(found);
	} else {
		score.value = omt_report_number(found, "value");
		score.low = omt_report_number(found, "low");
		score.high = omt_report_number(found, "high");
	}
	if (json_is_number(chance))
		score.chance = json_number_value(chance);
	return score;
}

static bool has_score(const omt_results *report, const char *measure, const char *cut)
{
	for (size_t i = 0; i < report->count; i++)
		if (isfinite(omt_record_score(&report->records[i], measure, cut).value))
			return true;
	return false;
}

bool omt_report_main_measure(const omt_results *report, const char **measure, const char **cut)
{
	static const char *const wanted[][2] = {{"hit", "1"},     {"ndcg", "10"}, {"ndcg", "5"},
	                                        {"ndcg", "3"},    {"ndcg", "20"}, {"ndcg", "1"},
	                                        {"recall", "10"}, {"mrr", "10"},  {"map", ""}};
	const char *convention = omt_report_string(report->records[0].root, "retrieval.convention");
	bool mmeb = convention && !strcmp(convention, "mmeb");
	for (size_t i = mmeb ? 0 : 1; i < sizeof wanted / sizeof *wanted; i++)
		if (has_score(report, wanted[i][0], wanted[i][1])) {
			*measure = wanted[i][0];
			*cut = wanted[i][1];
			return true;
		}
	return false;
}

const char *omt_measure_name(omt_results *report, const char *measure, const char *cut)
{
	static const char *const names[][2] = {
		{"ndcg", "nDCG"}, {"recall", "Recall"}, {"mrr", "MRR"}, {"map", "MAP"},
		{"hit", "hit"},   {"precision", "P"},   {"p", "P"}};
	const char *name = measure;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i][0], measure))
			name = names[i][1];
	return omt_report_text(report, "%.24s%s%.12s", name, *cut ? "@" : "", cut);
}

/* ---- the front ----------------------------------------------------------------------------- */

void omt_pareto(const double *const *goods, size_t good_count, size_t count, bool *front)
{
	for (size_t i = 0; i < count; i++) {
		front[i] = true;
		for (size_t g = 0; g < good_count; g++)
			front[i] = front[i] && isfinite(goods[g][i]);
		for (size_t j = 0; j < count && front[i]; j++) {
			size_t no_worse = 0, better = 0;
			for (size_t g = 0; g < good_count; g++) {
				no_worse += goods[g][j] >= goods[g][i];
				better += goods[g][j] > goods[g][i];
			}
			front[i] = no_worse < good_count || !better;
		}
	}
}

void omt_report_trade(const omt_results *report, const char *measure, const char *cut,
                      double *speed, double *quality)
{
	for (size_t r = 0; r < report->count; r++) {
		const omt_record *record = &report->records[r];
		speed[r] = omt_record_invalid(record) ? NAN : record->speed;
		quality[r] = omt_record_score(record, measure, cut).value;
	}
}

double omt_record_joules_per_item(const omt_record *record)
{
	double joules = 0, items = 0;
	size_t i;
	json_t *part;
	json_array_foreach(record->parts, i, part)
	{
		double own = omt_report_number(part, "energy.joules");
		double count = omt_report_number(part, "items");
		if (own >= 0 && count > 0) {
			joules += own;
			items += count;
		}
	}
	return items > 0 ? joules / items : NAN;
}

double omt_record_latency_ms(const omt_record *record)
{
	double sum = 0, items = 0;
	size_t i;
	json_t *part;
	json_array_foreach(record->parts, i, part)
	{
		double mean = omt_report_number(part, "latency_ms.mean");
		double count = omt_report_number(part, "items");
		if (strcmp(omt_part_mode(part), "offline") != 0 && mean >= 0 && count > 0) {
			sum += mean * count;
			items += count;
		}
	}
	return items > 0 ? sum / items : NAN;
}

/* Latency and energy count where every point has them. */
const char *omt_report_front(omt_results *report, bool *front)
{
	enum { GOODS = 4 };
	static const char *const names[GOODS] = {"", "", ", latency", ", energy"};
	const char *measure, *cut, *words = "speed, quality";
	const size_t n = report->count;
	double *values = calloc(GOODS * n + 1, sizeof *values);
	const double *goods[GOODS] = {values, values + n, values + 2 * n, values + 3 * n};
	size_t told[GOODS] = {0}, count = 2, points = 0;
	memset(front, 0, n * sizeof *front);
	if (!values || !omt_report_main_measure(report, &measure, &cut)) {
		free(values);
		return words;
	}
	omt_report_trade(report, measure, cut, values, values + n);
	for (size_t r = 0; r < n; r++) {
		if (!isfinite(goods[0][r]) || !isfinite(goods[1][r]))
			continue;
		points++;
		values[2 * n + r] = -omt_record_latency_ms(&report->records[r]);
		values[3 * n + r] = -omt_record_joules_per_item(&report->records[r]);
		for (size_t g = 2; g < GOODS; g++)
			told[g] += isfinite(goods[g][r]);
	}
	for (size_t g = 2; g < GOODS; g++)
		if (points && told[g] == points) {
			goods[count++] = goods[g];
			words = omt_report_text(report, "%s%s", words, names[g]);
		}
	omt_pareto(goods, count, n, front);
	free(values);
	return words;
}

/* ---- the report as a whole --------------------------------------------------------------- */

const char *omt_report_short(const char *key)
{
	const char *dot = strrchr(key, '.');
	return !strcmp(key, "card.name") ? "card" : dot ? dot + 1 : key;
}

const char *omt_report_title(omt_results *report)
{
	const char *name = json_string_value(json_object_get(report->same, "name"));
	return omt_report_text(report, "%.100s", name && *name ? name : "omnitile benchmark");
}

const omt_record *omt_report_profiled(const omt_results *report)
{
	const omt_record *found = NULL;
	double most = NAN;
	for (size_t r = 0; r < report->count; r++) {
		const omt_record *record = &report->records[r];
		double speed = record->speed;
		if (!json_array_size(omt_report_at(record->root, "ops")))
			continue;
		if (!found || (isfinite(speed) && !(speed <= most))) {
			found = record;
			most = speed;
		}
	}
	return found;
}

omt_mark omt_record_mark(const omt_record *record)
{
	return (omt_mark){.series = record->colour,
	                  .shape = record->shape,
	                  .hollow = omt_record_invalid(record)};
}

/* ---- parts of all records ---------------------------------------------------------------- */

json_t *omt_report_part_groups(omt_results *report, const char *needed)
{
	json_t *names = json_object(), *part;
	size_t i;
	for (size_t r = 0; names && r < report->count; r++)
		json_array_foreach(report->records[r].parts, i, part)
		{
			const char *name = omt_part_name(report, part);
			json_t *pairs = json_object_get(names, name);
			if (!json_is_object(part) || (needed && !omt_report_at(part, needed)))
				continue;
			if (!pairs && (pairs = json_array()) &&
			    json_object_set_new(names, name, pairs) != 0)
				pairs = NULL;
			if (json_array_append_new(
				    pairs, json_pack("[II]", (json_int_t)r, (json_int_t)i)) != 0)
				report->exhausted = true;
		}
	return names;
}

const omt_record *omt_group_record(const omt_results *report, const json_t *pair)
{
	return &report->records[json_integer_value(json_array_get(pair, 0))];
}

const json_t *omt_group_part(const omt_results *report, const json_t *pair)
{
	return json_array_get(omt_group_record(report, pair)->parts,
	                      (size_t)json_integer_value(json_array_get(pair, 1)));
}
