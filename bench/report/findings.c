/* What a report says first: the best valid figures in words, and what is INVALID. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"

static void add(omt_findings *findings, const char *title, const char *value, const char *text)
{
	if (findings->count < OMT_REPORT_FINDINGS)
		findings->finding[findings->count++] =
			(omt_finding){.title = title, .value = value, .text = text};
}

/* "point 3 (int8, slots 2)", or nothing where there is one record. */
static const char *whose(omt_results *report, const omt_record *record)
{
	return report->count > 1
	               ? omt_report_text(report, "point %s (%s)", record->number, record->label)
	               : "";
}

static const char *joined(omt_results *report, const char *a, const char *b)
{
	return omt_report_text(report, "%s%s%s", a, *a && *b ? "; " : "", b);
}

/* ---- what the figures are ------------------------------------------------------------------ */

static bool is_modelled(const omt_record *record)
{
	return json_is_object(omt_report_at(record->root, "card"));
}

static void find_modelled(omt_results *report, omt_findings *findings)
{
	size_t count = 0;
	for (size_t r = 0; r < report->count; r++)
		count += is_modelled(&report->records[r]);
	if (count)
		add(findings, "Modelled",
		    omt_report_text(report, "%zu of %zu records", count, report->count),
		    "speed, latency and energy are by a card's model: of its kernels alone, "
		    "without preparation and transfers; quality is measured");
}

/* ---- validity ------------------------------------------------------------------------------ */

static void find_invalid(omt_results *report, omt_findings *findings)
{
	size_t parts = 0, told = 0, invalid = 0, i;
	const char *text = "";
	json_t *part;
	for (size_t r = 0; r < report->count; r++)
		json_array_foreach(report->records[r].parts, i, part)
		{
			parts++;
			told += omt_report_truth(part, "valid") >= 0;
			if (!omt_part_invalid(part) || ++invalid > 8)
				continue;
			const char *who = whose(report, &report->records[r]);
			text = omt_report_text(report, "%s%s%s%s%s: %s", text, *text ? "\n" : "",
			                       who, *who ? ", " : "", omt_part_name(report, part),
			                       omt_report_lines(report, part, "reasons"));
		}
	if (invalid > 8)
		text = omt_report_text(report, "%s\nand %zu more", text, invalid - 8);
	if (invalid)
		add(findings, "INVALID",
		    omt_report_text(report, "%zu of %zu measured parts", invalid, parts), text);
	else if (told)
		add(findings, "Valid", omt_report_text(report, "all %zu measured parts", told), "");
	if (invalid)
		findings->finding[findings->count - 1].bad = true;
}

/* Devices that were left out while it ran. */
static void find_failed(omt_results *report, omt_findings *findings)
{
	const char *text = "";
	size_t failed = 0, i;
	json_t *device;
	for (size_t r = 0; r < report->count; r++)
		json_array_foreach(omt_report_at(report->records[r].root, "engine.devices"), i,
		                   device)
		{
			const char *name = omt_report_string(device, "device");
			const char *error = omt_report_string(device, "error");
			const char *who = whose(report, &report->records[r]);
			if (!error || ++failed > 8)
				continue;
			text = omt_report_text(report, "%s%s%s%s%.100s: %.200s", text,
			                       *text ? "\n" : "", who, *who ? ", " : "",
			                       name ? name : "", error);
		}
	if (!failed)
		return;
	add(findings, "Failed",
	    failed == 1 ? "a device" : omt_report_text(report, "%zu devices", failed), text);
	findings->finding[findings->count - 1].bad = true;
}

/* ---- the best part ----------------------------------------------------------------------- */

typedef struct omt_best {
	const omt_record *record;
	const json_t *part;
	double value;
} omt_best;

/* The valid part of a mode that has the most (or least) of something. */
static omt_best best_part(const omt_results *report, const char *mode, const char *path, bool most)
{
	omt_best best = {.value = NAN};
	for (size_t r = 0; r < report->count; r++) {
		size_t i;
		json_t *part;
		json_array_foreach(report->records[r].parts, i, part)
		{
			double value = omt_report_number(part, path);
			if (omt_part_invalid(part) || !isfinite(value) ||
			    (mode && strcmp(omt_part_mode(part), mode) != 0))
				continue;
			if (!best.part || (most ? value > best.value : value < best.value))
				best = (omt_best){&report->records[r], part, value};
		}
	}
	return best;
}

static void find_speed(omt_results *report, omt_findings *findings)
{
	const omt_record *fastest = NULL;
	double most = NAN, least = NAN;
	for (size_t r = 0; r < report->count; r++) {
		const omt_record *record = &report->records[r];
		double speed = record->speed;
		if (!isfinite(speed) || omt_record_invalid(record) || omt_report_is_server(report))
			continue; /* a rate has its own finding */
		if (!fastest || speed > most) {
			fastest = record;
			most = speed;
		}
		least = isfinite(least) ? fmin(least, speed) : speed;
	}
	if (fastest && report->count == 1)
		add(findings, "All passages",
		    omt_report_text(report, "%s items/s", omt_digits_short(most).text),
		    "of all modalities together, as mixed as they are");
	else if (fastest && most > least)
		add(findings, "Fastest point",
		    omt_report_text(report, "%s items/s", omt_digits_short(most).text),
		    omt_report_text(report, "over all passages, %s, %s times the slowest",
		                    whose(report, fastest), omt_digits_short(most / least).text));
	omt_best best = best_part(report, "offline", "items_per_s", true);
	if (best.part)
		add(findings, "Highest throughput",
		    omt_report_text(report, "%s items/s", omt_digits_short(best.value).text),
		    joined(report, omt_part_name(report, best.part), whose(report, best.record)));
}

static void find_rate(omt_results *report, omt_findings *findings)
{
	omt_best best = best_part(report, "server", "rate", true);
	if (!best.part)
		return;
	double percentile = omt_report_number(best.part, "percentile");
	double target = omt_report_number(best.part, "target_latency_ms");
	const char *text = isfinite(percentile) && isfinite(target)
	                           ? omt_report_text(report, "with p%g of latency within %s ms",
	                                             percentile, omt_digits_short(target).text)
	                           : "";
	add(findings, "Highest valid rate",
	    omt_report_text(report, "%s queries/s", omt_digits_short(best.value).text),
	    joined(report, text, whose(report, best.record)));
}

/* Of a mode that is about latency, where there is one: offline's tells how full batches were. */
static void find_latency(omt_results *report, omt_findings *findings)
{
	static const struct {
		const char *mode, *path, *name;
	} modes[] = {{"single-stream", "headline.latency_ms", NULL},
	             {"single-stream", "latency_ms.p90", "p90"},
	             {"multi-stream", "headline.latency_ms", NULL},
	             {"multi-stream", "latency_ms.p99", "p99"},
	             {"server", "latency_ms.p99", "p99"},
	             {"offline", "latency_ms.p50", "median"}};
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		omt_best best = best_part(report, modes[i].mode, modes[i].path, false);
		if (!best.part)
			continue;
		double most = omt_report_number(best.part, "headline.at_most_ms");
		const char *name = modes[i].name;
		if (!name)
			name = omt_report_text(report, "p%g",
			                       omt_report_number(best.part, "headline.percentile"));
		if (!modes[i].name && isfinite(most))
			name = omt_report_text(report, "%s, at most %s ms with confidence %g", name,
			                       omt_digits_short(most).text,
			                       omt_report_number(best.part, "headline.confidence"));
		add(findings, "Lowest latency",
		    omt_report_text(report, "%s ms", omt_digits_short(best.value).text),
		    joined(report,
		           omt_report_text(report, "%s, %s", name,
		                           omt_part_name(report, best.part)),
		           whose(report, best.record)));
		return;
	}
}

/* ---- quality ----------------------------------------------------------------------------- */

static void find_quality(omt_results *report, omt_findings *findings)
{
	const char *measure, *cut, *text = "";
	const omt_record *best = NULL;
	omt_measured score = {NAN, NAN, NAN, NAN};
	size_t within = 0;
	if (!omt_report_main_measure(report, &measure, &cut))
		return;
	for (size_t r = 0; r < report->count; r++) {
		omt_measured own = omt_record_score(&report->records[r], measure, cut);
		if (isfinite(own.value) && (!best || own.value > score.value)) {
			best = &report->records[r];
			score = own;
		}
	}
	for (size_t r = 0; r < report->count; r++)
		within += &report->records[r] != best &&
		          omt_record_score(&report->records[r], measure, cut).value >= score.low;
	if (isfinite(score.low) && isfinite(score.high))
		text = omt_report_text(report, "95 %% interval %s to %s",
		                       omt_digits_fixed(score.low, 3).text,
		                       omt_digits_fixed(score.high, 3).text);
	if (isfinite(score.chance))
		text = joined(report, text,
		              omt_report_text(report, "by chance %s",
		                              omt_digits_fixed(score.chance, 3).text));
	if (within)
		text = joined(report, text,
		              omt_report_text(report,
		                              within == 1 ? "%zu other point lies in its interval"
		                                          : "%zu other points lie in its interval",
		                              within));
	add(findings, "Best quality",
	    omt_report_text(report, "%s %s", omt_measure_name(report, measure, cut),
	                    omt_digits_fixed(score.value, 3).text),
	    joined(report, whose(report, best), text));
}

static void find_front(omt_results *report, omt_findings *findings)
{
	const char *measure, *cut, *list = "", *by;
	double *speed = calloc(report->count, sizeof *speed);
	double *quality = calloc(report->count, sizeof *quality);
	bool *front = calloc(report->count, sizeof *front);
	size_t count = 0, points = 0;
	if (report->count < 2 || !speed || !quality || !front ||
	    !omt_report_main_measure(report, &measure, &cut))
		goto done;
	omt_report_trade(report, measure, cut, speed, quality);
	by = omt_report_front(report, front);
	for (size_t r = 0; r < report->count; r++)
		points += isfinite(speed[r]) && isfinite(quality[r]);
	for (size_t r = 0; r < report->count; r++)
		if (front[r] && ++count <= 12)
			list = omt_report_text(report, "%s%s%s", list, *list ? ", " : "",
			                       report->records[r].number);
	if (points > 1)
		add(findings, "Best trade-offs",
		    omt_report_text(report, "%zu of %zu points", count, report->count),
		    omt_report_text(report,
		                    "%s%s: no valid point is as good in %s and better in one", list,
		                    count > 12 ? ", ..." : "", by));
done:
	free(speed);
	free(quality);
	free(front);
}

/* ---- the machine ------------------------------------------------------------------------- */

static void find_hidden(omt_results *report, omt_findings *findings)
{
	omt_best best = best_part(report, NULL, "hidden_share", true);
	if (!best.part)
		return;
	double serial = omt_report_number(best.part, "serial.items_per_s");
	double gain = omt_report_number(best.part, "items_per_s") / serial;
	const char *text = omt_report_text(report, "of preparation and transfer, %s",
	                                   omt_part_name(report, best.part));
	if (isfinite(gain) && gain > 0)
		text = omt_report_text(report, "%s, %s times the speed of one slot", text,
		                       omt_digits_short(gain).text);
	add(findings, "Most hidden behind compute",
	    omt_report_text(report, "%.0f %%", 100 * best.value),
	    joined(report, text, whose(report, best.record)));
}

static void find_energy(omt_results *report, omt_findings *findings)
{
	omt_best best = best_part(report, NULL, "energy.joules_per_item", false);
	const char *reason = NULL;
	if (best.part) {
		add(findings, "Least energy",
		    omt_report_text(report, "%s J/item", omt_digits_short(best.value).text),
		    joined(report, omt_part_name(report, best.part), whose(report, best.record)));
		return;
	}
	for (size_t r = 0; r < report->count && !reason; r++)
		reason = omt_report_string(json_array_get(report->records[r].parts, 0),
		                           "energy.reason");
	if (reason && !strncmp(reason, "not available: ", 15))
		reason += 15;
	if (reason)
		add(findings, "Energy", "not available", omt_report_text(report, "%.200s", reason));
}

static void find_op(omt_results *report, omt_findings *findings)
{
	const omt_record *record = omt_report_profiled(report);
	const json_t *ops = record ? omt_report_at(record->root, "ops") : NULL, *slowest = NULL;
	double total = 0, most = 0;
	for (size_t i = 0; i < json_array_size(ops); i++) {
		double seconds = omt_report_number(json_array_get(ops, i), "seconds");
		if (!(seconds > 0))
			continue;
		total += seconds;
		if (seconds > most) {
			most = seconds;
			slowest = json_array_get(ops, i);
		}
	}
	const char *name = omt_report_string(slowest, "op");
	const char *bound = omt_report_string(slowest, "bound");
	double share = omt_report_number(slowest, "roof_share");
	if (!name)
		return;
	add(findings, "Most device time",
	    omt_report_text(report, "%.40s, %.0f %%", name, 100 * most / total),
	    isfinite(share) && bound
	            ? omt_report_text(report, "reaches %.0f %% of its roof, bound by %.20s%s%s",
	                              100 * share, bound, report->count > 1 ? "; " : "",
	                              whose(report, record))
	            : whose(report, record));
}

static void find_memory(omt_results *report, omt_findings *findings)
{
	double least = NAN, most = NAN;
	for (size_t r = 0; r < report->count; r++) {
		if (is_modelled(&report->records[r]))
			continue; /* the simulation's */
		double peak = omt_report_number(report->records[r].root, "memory.host_peak_bytes");
		least = fmin(least, peak);
		most = fmax(most, peak);
	}
	if (!isfinite(most))
		return;
	omt_digits low = omt_digits_bytes(least), high = omt_digits_bytes(most);
	add(findings, "Peak of host memory",
	    strcmp(low.text, high.text) ? omt_report_text(report, "%s to %s", low.text, high.text)
	                                : omt_report_text(report, "%s", high.text),
	    "");
}

void omt_report_findings(omt_results *report, omt_findings *findings)
{
	static void (*const finders[])(omt_results *, omt_findings *) = {
		find_modelled, find_invalid, find_failed, find_speed,  find_rate, find_latency,
		find_quality,  find_front,   find_hidden, find_energy, find_op,   find_memory};
	findings->count = 0;
	for (size_t i = 0; i < sizeof finders / sizeof *finders; i++)
		finders[i](report, findings);
}
