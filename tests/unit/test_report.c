/* Numbers, scales, the Pareto front, escaping, records: what a report is made of. */
#include <math.h>

#include "bench/report/digits.h"
#include "bench/report/report.h"
#include "tests/unit/scratch.h"

TestSuite(report, .init = scratch_make, .fini = scratch_drop);

Test(report, numbers_as_people_read_them)
{
	static const struct {
		double value;
		int decimals;
		const char *fixed, *brief;
	} cases[] = {
		{0, 0, "0", "0"},
		{1234.5, 1, "1,234.5", "1,234"},
		{1234567.4, 0, "1,234,567", "1,234,567"},
		{123, 2, "123.00", "123"},
		{12.34, 1, "12.3", "12.3"},
		{0.01234, 3, "0.012", "0.0123"},
		{-1234.5, 0, "-1,234", "-1,234"},
		{-0.001, 1, "0.0", "-0.00100"},
		{999.9, 0, "1,000", "1,000"},
		{2.5e12, 3, "2.50e12", "2.50e12"},
		{-1e300, 0, "-1.00e300", "-1.00e300"},
		{NAN, 2, "–", "–"},
		{INFINITY, 2, "–", "–"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_str_eq(omt_digits_fixed(cases[i].value, cases[i].decimals).text,
		                 cases[i].fixed);
		cr_expect_str_eq(omt_digits_short(cases[i].value).text, cases[i].brief);
	}
	cr_expect_str_eq(omt_digits_bytes(8.8e9).text, "8.80 GB");
	cr_expect_str_eq(omt_digits_bytes(999).text, "999 B");
	cr_expect_str_eq(omt_digits_bytes(1.5e3).text, "1.50 kB");
	cr_expect_str_eq(omt_digits_bytes(NAN).text, "–");
}

Test(report, ticks_lie_at_round_numbers)
{
	static const struct {
		double low, high;
		bool log;
		size_t want;
		double first, second, last;
	} cases[] = {
		{0, 97, false, 5, 0, 20, 100},
		{0.31, 0.49, false, 6, 0.3, 0.35, 0.5},
		{-3, 3, false, 6, -3, -2, 3},
		{70, 560, true, 6, 50, 100, 1000},
		{0.06, 140, true, 5, 0.05, 0.1, 200},
		{31, 95, true, 6, 20, 40, 100},
		{5, 5, false, 4, 2, 4, 8},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_scale scale;
		omt_scale_fit(&scale, cases[i].low, cases[i].high, cases[i].log, cases[i].want);
		cr_expect(scale.low <= cases[i].low && scale.high >= cases[i].high, "%zu", i);
		cr_expect_float_eq(scale.low, cases[i].first, 1e-9, "%zu: low %g", i, scale.low);
		cr_expect_float_eq(scale.high, cases[i].last, 1e-9, "%zu: high %g", i, scale.high);
		bool at_low = fabs(scale.ticks[0] - scale.low) < 1e-9;
		cr_expect_float_eq(scale.ticks[at_low], cases[i].second, 1e-9, "%zu: %g", i,
		                   scale.ticks[at_low]);
	}
}

/* Whatever the range: ticks ascend within it, places are 0 to 1 and ascend. */
Test(report, scales_hold_for_every_range)
{
	static const double ends[] = {-1e300, -1e9, -1,  -1e-9, 0,    1e-300, 1e-9,     0.3,
	                              1,      1.1,  1e6, 1e9,   1e18, 1e300,  INFINITY, NAN};
	const size_t count = sizeof ends / sizeof *ends;
	for (size_t i = 0; i < count * count * 24; i++) {
		omt_scale scale;
		double low = ends[i % count], high = ends[i / count % count];
		omt_scale_fit(&scale, low, high, i / count / count % 2, i / count / count / 2);
		cr_assert(scale.count >= 1 && scale.count <= OMT_PLOT_TICKS, "%g to %g", low, high);
		cr_assert(scale.low < scale.high && isfinite(scale.low) && isfinite(scale.high));
		for (size_t k = 1; k < scale.count; k++) {
			cr_assert_gt(scale.ticks[k], scale.ticks[k - 1], "%g to %g", low, high);
			cr_assert_geq(omt_scale_place(&scale, scale.ticks[k]),
			              omt_scale_place(&scale, scale.ticks[k - 1]));
		}
		cr_assert_eq(omt_scale_place(&scale, NAN), 0);
		cr_assert_eq(omt_scale_place(&scale, scale.low), 0);
		cr_assert_float_eq(omt_scale_place(&scale, scale.high), 1, 1e-12);
	}
}

Test(report, pareto_front)
{
	const double speed[] = {10, 20, 30, 20, 30, NAN, 5, 40};
	const double quality[] = {.9, .8, .7, .7, .7, .99, .9, NAN};
	const bool expected[] = {true, true, true, false, true, false, false, false};
	bool front[8];
	const double *const goods[] = {speed, quality};
	omt_pareto(goods, 2, 8, front);
	for (size_t i = 0; i < 8; i++)
		cr_expect_eq(front[i], expected[i], "%zu", i);
}

/* What no other point beats in everything may be slow and bad if it takes little energy. */
Test(report, pareto_front_of_three_goods)
{
	const double speed[] = {10, 20, 5, 10, 10}, quality[] = {.9, .8, .7, .9, .9};
	const double saved[] = {-3, -3, -1, -2, NAN};
	const bool expected[] = {false, true, true, true, false};
	const double *const goods[] = {speed, quality, saved};
	bool front[5];
	omt_pareto(goods, 3, 5, front);
	for (size_t i = 0; i < 5; i++)
		cr_expect_eq(front[i], expected[i], "%zu", i);
}

static char *escaped(const char *text)
{
	char *made;
	size_t bytes;
	FILE *out = open_memstream(&made, &bytes);
	omt_html_text(out, text);
	fclose(out);
	return made;
}

Test(report, html_text_is_only_text)
{
	static const struct {
		const char *text, *html;
	} cases[] = {
		{"<a href=\"x\">'&", "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"},
		{"µ – 語 \U0001f600", "µ – 語 \U0001f600"},
		{"a\001b\x7f", "a\ufffdb\ufffd"},
		{"\u202egnp.exe\u2066", "\ufffdgnp.exe\ufffd"},
		{"\xff\xc0\xaf|\xed\xa0\x80|\xf4\x90\x80\x80|\xe2\x82",
	         "\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd|\ufffd\ufffd\ufffd\ufffd|\ufffd\ufffd"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *html = escaped(cases[i].text);
		cr_expect_str_eq(html, cases[i].html);
		free(html);
	}
}

static void load(const char *text, omt_results *report)
{
	const char *path = scratch_text("r.jsonl", text);
	omt_error err = {0};
	cr_assert_eq(omt_report_load(&path, 1, report, &err), OMT_OK, "%s", err.text);
}

Test(report, what_varies_is_told_apart)
{
	omt_results report;
	load("{\"parts\":[],\"point\":{\"weights\":\"int8\"},\"settings\":{\"weights\":\"int8\","
	     "\"engine\":{\"slots\":1,\"batch\":8},\"output\":\"a\"}}\n\n"
	     "{\"parts\":[],\"settings\":{\"weights\":\"bf16\",\"engine\":{\"slots\":2,"
	     "\"batch\":8},\"output\":\"b\"}}\n"
	     "{\"parts\":[],\"settings\":{\"weights\":\"bf16\",\"engine\":{\"slots\":1,"
	     "\"batch\":8}}}\n{\"cut",
	     &report);
	cr_assert_eq(report.count, 3);
	cr_assert_eq(report.varied_count, 2);
	cr_expect_str_eq(report.varied[0].key, "weights");
	cr_expect_str_eq(report.varied[1].key, "engine.slots");
	cr_expect_str_eq(report.records[0].label, "int8, slots 1");
	cr_expect_str_eq(report.records[1].label, "bf16, slots 2");
	cr_expect(strstr(report.records[2].place, "r.jsonl:4") != NULL);
	cr_expect_str_eq(json_string_value(json_object_get(report.same, "engine.batch")), "8");
	cr_expect_null(json_object_get(report.same, "output"));
	cr_expect_eq(json_array_size(report.remarks), 1);
	cr_expect_neq(report.records[0].colour, report.records[1].colour);
	omt_report_free(&report);
}

Test(report, of_a_point_that_ran_again_the_last_record_counts)
{
	omt_results report;
	load("{\"key\":\"a\",\"parts\":[],\"date\":\"1\"}\n"
	     "{\"key\":\"b\",\"parts\":[],\"date\":\"2\"}\n{\"parts\":[]}\n{\"parts\":[]}\n"
	     "{\"key\":\"a\",\"parts\":[],\"date\":\"3\"}\n",
	     &report);
	cr_assert_eq(report.count, 4);
	cr_expect_str_eq(omt_report_string(report.records[0].root, "date"), "3");
	cr_expect_str_eq(report.records[0].number, "1");
	cr_expect(strstr(report.records[0].place, "r.jsonl:5") != NULL);
	cr_expect_str_eq(omt_report_string(report.records[1].root, "date"), "2");
	cr_assert_eq(json_array_size(report.remarks), 1);
	cr_expect(strstr(json_string_value(json_array_get(report.remarks, 0)), "r.jsonl:1") !=
	          NULL);
	omt_report_free(&report);

	const char *path = scratch_text("s.jsonl", "{\"key\":\"a\",\"parts\":[]}\n");
	const char *const twice[] = {path, path}; /* two files of one point are compared */
	omt_error err = {0};
	cr_assert_eq(omt_report_load(twice, 2, &report, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(report.count, 2);
	omt_report_free(&report);
}

Test(report, refuses_with_file_and_line)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"{\"parts\":[]}\n{]\n", "r.jsonl:2: not JSON"},
		{"{\"parts\":[]}\n7\n", "r.jsonl:2: not JSON"},
		{"[]\n", "r.jsonl:1: not a JSON object"},
		{"\n\n", "r.jsonl: no records"},
		{"{\"op\":\"gemm\"}\n", "no records: /tmp"},
		{"{\"parts\":[1e999]}\n", "r.jsonl:1: not JSON: real number overflow"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = scratch_text("r.jsonl", cases[i].text);
		omt_results report;
		omt_error err = {0};
		cr_expect_eq(omt_report_load(&path, 1, &report, &err), OMT_BAD_FORMAT);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s", err.text);
		omt_report_free(&report);
	}
}

Test(report, the_best_is_a_valid_one)
{
	omt_cell cells[] = {{.value = 5}, {.value = 9}, {.value = 7}, {.value = NAN}, {.value = 7}};
	bool invalid[] = {false, true, false, false, false};
	omt_sheet_column column = {"x", "x", OMT_CELL_REAL, 1};
	omt_sheet table = {.columns = &column,
	                   .column_count = 1,
	                   .cells = cells,
	                   .invalid = invalid,
	                   .row_count = 5};
	const bool most[] = {false, false, true, false, true};
	for (size_t r = 0; r < 5; r++)
		cr_expect_eq(omt_cell_is_best(&table, 0, 5, r, 0), most[r], "%zu", r);
	cr_expect_not(omt_cell_is_best(&table, 2, 3, 2, 0), "alone");
	column.better = -1;
	cr_expect(omt_cell_is_best(&table, 0, 5, 0, 0));
	column.better = 0;
	cr_expect_not(omt_cell_is_best(&table, 0, 5, 0, 0));
}

Test(report, csv_quotes_and_holds_no_formulas)
{
	omt_cell cells[] = {
		{.value = NAN, .text = "=x"},   {.value = NAN, .text = "y,\"z"}, {.value = 1.5},
		{.value = NAN, .text = "@a\n"}, {.value = NAN, .text = "-b"},    {.value = NAN}};
	omt_sheet_column columns[] = {{"a", "a", OMT_CELL_TEXT, 0},
	                              {"b\"c", "b", OMT_CELL_TEXT, 0},
	                              {"=1,2", "c", OMT_CELL_REAL, 0}};
	bool invalid[2] = {false};
	char *text;
	size_t bytes;
	omt_sheet table = {.columns = columns,
	                   .column_count = 3,
	                   .cells = cells,
	                   .invalid = invalid,
	                   .row_count = 2};
	FILE *out = open_memstream(&text, &bytes);
	omt_report_csv(out, &table);
	fclose(out);
	cr_expect_str_eq(text, "a,\"b\"\"c\",\"'=1,2\"\n"
	                       "'=x,\"y,\"\"z\",1.5\n\"'@a \",'-b,\n");
	free(text);
}
