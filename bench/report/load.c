/* Records from files of JSON lines, and what varies among them. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "bench/report/report.h"

#define MAX_BYTES   ((size_t)1 << 30)
#define MAX_RECORDS ((size_t)10000)
#define MAX_SHOWN   160 /* bytes of a fact's text */
#define LAYOUT      2   /* of records */

/* ---- strings ------------------------------------------------------------------------------- */

struct omt_text {
	omt_text *next;
	char text[];
};

const char *omt_report_text(omt_results *report, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int length = vsnprintf(NULL, 0, format, args);
	omt_text *made = length < 0 ? NULL : malloc(sizeof *made + (size_t)length + 1);
	if (made) {
		vsnprintf(made->text, (size_t)length + 1, format, again);
		made->next = report->texts;
		report->texts = made;
	} else {
		report->exhausted = true;
	}
	va_end(again);
	va_end(args);
	return made ? made->text : "";
}

/* ---- values -------------------------------------------------------------------------------- */

const json_t *omt_report_at(const json_t *object, const char *path)
{
	while (object && *path) {
		const json_t *whole = json_object_get(object, path);
		if (whole)
			return whole;
		char key[64];
		size_t length = strcspn(path, ".");
		if (length >= sizeof key || !path[length])
			return NULL;
		memcpy(key, path, length);
		key[length] = '\0';
		object = json_object_get(object, key);
		path += length + 1;
	}
	return object;
}

double omt_report_number(const json_t *object, const char *path)
{
	const json_t *value = omt_report_at(object, path);
	return json_is_number(value) ? json_number_value(value) : NAN;
}

const char *omt_report_string(const json_t *object, const char *path)
{
	return json_string_value(omt_report_at(object, path));
}

int omt_report_truth(const json_t *object, const char *path)
{
	const json_t *value = omt_report_at(object, path);
	return json_is_boolean(value) ? json_is_true(value) : -1;
}

/* ---- facts --------------------------------------------------------------------------------- */

/* A setting's value as text; long ones are cut. */
static const char *value_text(omt_results *report, const json_t *value)
{
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		int length = (int)strnlen(text, MAX_SHOWN);
		while (text[length] && length && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--;
		return omt_report_text(report, "%.*s%s", length, text, text[length] ? "…" : "");
	}
	if (json_is_integer(value))
		return omt_report_text(report, "%lld", (long long)json_integer_value(value));
	if (json_is_real(value))
		return omt_report_text(report, "%.6g", json_real_value(value));
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (json_is_array(value)) {
		const char *list = "";
		for (size_t i = 0; i < json_array_size(value) && strlen(list) < MAX_SHOWN; i++)
			list = omt_report_text(report, "%s%s%s", list, i ? ", " : "",
			                       value_text(report, json_array_get(value, i)));
		return list;
	}
	return "";
}

static void add_fact(omt_results *report, omt_record *record, const char *key, const char *text)
{
	if (text && *text && json_object_set_new(record->facts, key, json_string(text)) != 0)
		report->exhausted = true;
}

/* Where a run left its results says nothing of the run. */
static bool is_place(const char *key)
{
	static const char *const places[] = {"output",        "trace", "scenario.requests",
	                                     "retrieval.run", "cache", "name"};
	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (!strcmp(places[i], key))
			return true;
	return false;
}

static void flatten(omt_results *report, omt_record *record, const json_t *object,
                    const char *prefix, int depth)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		const char *path =
			omt_report_text(report, "%s%s%.80s", prefix, *prefix ? "." : "", key);
		if (json_is_object(value) && depth < 4)
			flatten(report, record, value, path, depth + 1);
		else if (!is_place(path))
			add_fact(report, record, path, value_text(report, value));
	}
}

static const char *device_text(omt_results *report, const json_t *engine)
{
	const json_t *devices = omt_report_at(engine, "devices");
	size_t count = json_array_size(devices);
	const char *first = omt_report_string(engine, "device");
	const char *weights = "";
	return !first      ? weights
	       : count > 1 ? omt_report_text(report, "%zu devices, %.100s", count, first)
	                   : omt_report_text(report, "%.100s", first);
}

static void collect_facts(omt_results *report, omt_record *record)
{
	const json_t *root = record->root;
	const char *cpu = omt_report_string(root, "host.cpu");
	const char *machine = omt_report_string(root, "host.machine");
	double cores = omt_report_number(root, "host.cores");
	record->facts = json_object();
	if (!record->facts) {
		report->exhausted = true;
		return;
	}
	add_fact(report, record, "name", value_text(report, omt_report_at(root, "name")));
	flatten(report, record, omt_report_at(root, "settings"), "", 0);
	flatten(report, record, omt_report_at(root, "point"), "", 0);
	add_fact(report, record, "architecture",
	         value_text(report, omt_report_at(root, "model.architecture")));
	add_fact(report, record, "runs on", device_text(report, omt_report_at(root, "engine")));
	if (cpu || machine)
		add_fact(report, record, "host",
		         isfinite(cores) ? omt_report_text(report, "%.80s, %.0f cores",
		                                           cpu ? cpu : machine, cores)
		                         : omt_report_text(report, "%.80s", cpu ? cpu : machine));
	add_fact(report, record, "driver",
	         value_text(report, omt_report_at(root, "engine.driver")));
	add_fact(report, record, "omnitile", value_text(report, omt_report_at(root, "omnitile")));
}

/* ---- lines --------------------------------------------------------------------------------- */

static void remark(omt_results *report, const char *text)
{
	if (json_array_append_new(report->remarks, json_string(text)) != 0)
		report->exhausted = true;
}

/* The record of the same point in the same file; NULL: none. */
static omt_record *earlier(const omt_results *report, const json_t *root)
{
	const char *key = omt_report_string(root, "key");
	for (size_t i = report->file_first; key && i < report->count; i++) {
		const char *other = omt_report_string(report->records[i].root, "key");
		if (other && !strcmp(other, key))
			return &report->records[i];
	}
	return NULL;
}

/* A point that ran again: the later record takes the earlier one's place. */
static void replace(omt_results *report, omt_record *record, const char *place, json_t *root,
                    const json_t *parts)
{
	remark(report, omt_report_text(report, "%s: left out, its point ran again: %s",
	                               record->place, place));
	json_decref(record->root);
	json_decref(record->facts);
	record->root = root;
	record->place = place;
	record->parts = parts;
	collect_facts(report, record);
}

static omt_status add_record(omt_results *report, const char *place, json_t *root, omt_error *err)
{
	const json_t *parts = omt_report_at(root, "parts");
	if (!parts)
		parts = omt_report_at(root, "passes"); /* of layout 1 */
	if (!json_is_array(parts)) {
		remark(report,
		       omt_report_text(report, "%s: no record of omnitile bench, left out", place));
		json_decref(root);
		return OMT_OK;
	}
	if (omt_report_number(root, "record") > LAYOUT)
		remark(report, omt_report_text(report,
		                               "%s: layout %.0f of records, this omnitile knows "
		                               "%d: what is new in it is not shown",
		                               place, omt_report_number(root, "record"), LAYOUT));
	omt_record *larger = NULL, *before = earlier(report, root);
	if (before) {
		replace(report, before, place, root, parts);
		return OMT_OK;
	}
	if (report->count < MAX_RECORDS)
		larger = realloc(report->records, (report->count + 1) * sizeof *larger);
	if (!larger) {
		json_decref(root);
		return OMT_FAIL(err, LIMIT, "%s: more than %zu records", place, report->count);
	}
	report->records = larger;
	omt_record *record = &larger[report->count++];
	*record = (omt_record){.root = root, .place = place, .parts = parts, .label = ""};
	snprintf(record->number, sizeof record->number, "%zu", report->count);
	collect_facts(report, record);
	return OMT_OK;
}

static omt_status read_line(omt_results *report, const char *shown, size_t number, const char *line,
                            size_t bytes, bool cut, omt_error *err)
{
	json_error_t error;
	const char *place = omt_report_text(report, "%s:%zu", shown, number);
	if (strspn(line, " \t\r") >= bytes)
		return OMT_OK;
	json_t *root = json_loadb(line, bytes, JSON_ALLOW_NUL, &error);
	if (!root && cut) {
		remark(report, omt_report_text(report, "%s: the last line is cut off, left out: %s",
		                               place, error.text));
		return OMT_OK;
	}
	if (!root)
		return OMT_FAIL(err, BAD_FORMAT, "%s: not JSON: %s", place, error.text);
	if (!json_is_object(root)) {
		json_decref(root);
		return OMT_FAIL(err, BAD_FORMAT, "%s: not a JSON object", place);
	}
	return add_record(report, place, root, err);
}

static omt_status read_file(omt_results *report, const char *path, omt_error *err)
{
	char *text;
	size_t bytes, number = 0;
	report->file_first = report->count;
	json_t *shown = omt_json_text(path); /* names of files need not be UTF-8 */
	omt_status status = shown ? omt_file_read(path, MAX_BYTES, &text, &bytes, err)
	                          : OMT_FAIL(err, NO_MEMORY, "%s", path);
	if (status == OMT_OK) {
		const char *line = text, *end = text + bytes;
		while (line < end && status == OMT_OK) {
			const char *newline = memchr(line, '\n', (size_t)(end - line));
			const char *stop = newline ? newline : end;
			status = read_line(report, json_string_value(shown), ++number, line,
			                   (size_t)(stop - line), !newline, err);
			line = stop + 1;
		}
		free(text);
	}
	json_decref(shown);
	return status;
}

/* ---- what varies --------------------------------------------------------------------------- */

static const char *fact(const omt_record *record, const char *key)
{
	const char *text = json_string_value(json_object_get(record->facts, key));
	return text ? text : "";
}

/* Place of a value among those that were met; new ones are added. */
static size_t value_place(omt_varied *varied, const char *value)
{
	for (size_t i = 0; i < varied->count; i++)
		if (!strcmp(varied->values[i], value))
			return i;
	varied->values[varied->count] = value;
	return varied->count++;
}

/* Whether two facts vary together, so that one of them tells it all. */
static bool vary_together(const omt_results *report, const char *a, const char *b)
{
	for (size_t i = 0; i < report->count; i++)
		for (size_t j = 0; j < i && i < 64; j++)
			if (!strcmp(fact(&report->records[i], a), fact(&report->records[j], a)) !=
			    !strcmp(fact(&report->records[i], b), fact(&report->records[j], b)))
				return false;
	return true;
}

static bool is_in_point(const omt_results *report, const char *key)
{
	return json_object_get(omt_report_at(report->records[0].root, "point"), key) != NULL;
}

static omt_status add_varied(omt_results *report, const char *key, omt_error *err)
{
	omt_varied *varied = &report->varied[report->varied_count];
	*varied = (omt_varied){.key = omt_report_text(report, "%s", key)};
	varied->values = calloc(report->count, sizeof *varied->values);
	if (!varied->values)
		return OMT_FAIL(err, NO_MEMORY, "%zu records", report->count);
	report->varied_count++;
	for (size_t i = 0; i < report->count; i++)
		value_place(varied, fact(&report->records[i], key));
	return OMT_OK;
}

/* Facts of all records: those that are the same everywhere and those that are not; of facts that
 * vary together the first. */
static omt_status compare(omt_results *report, const json_t *all, bool of_grid, omt_error *err)
{
	const char *key;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)all, key, value)
	{
		size_t i = 1;
		const char *first = fact(&report->records[0], key);
		if (is_in_point(report, key) != of_grid)
			continue;
		while (i < report->count && !strcmp(fact(&report->records[i], key), first))
			i++;
		if (i == report->count) {
			json_object_set_new(report->same, key, json_string(first));
			continue;
		}
		bool told = false;
		for (size_t k = 0; k < report->varied_count && !told; k++)
			told = vary_together(report, report->varied[k].key, key);
		if (!told)
			OMT_TRY(add_varied(report, key, err));
	}
	return OMT_OK;
}

static void label_record(omt_results *report, omt_record *record)
{
	for (size_t k = 0; k < report->varied_count; k++) {
		omt_varied *varied = &report->varied[k];
		const char *value = fact(record, varied->key);
		bool number = strspn(value, "0123456789.-") == strlen(value);
		size_t place = value_place(varied, value);
		record->label = omt_report_text(report, "%s%s%s%s%s", record->label, k ? ", " : "",
		                                number ? omt_report_short(varied->key) : "",
		                                number ? " " : "", *value ? value : "none");
		if (k == 0)
			record->colour = (int)(place % OMT_PLOT_SERIES);
		if (k == 1)
			record->shape = (int)(place % OMT_PLOT_SERIES);
	}
	if (report->varied_count == 1)
		record->shape = record->colour;
	if (report->count > 1 && !report->varied_count) /* the same again */
		record->label = omt_report_text(report, "run %s", record->number);
}

static omt_status find_varied(omt_results *report, omt_error *err)
{
	json_t *all = json_object();
	omt_status status = OMT_OK;
	report->same = json_object();
	if (!all || !report->same)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu records", report->count));
	for (size_t i = 0; i < report->count; i++)
		if (!report->records[i].facts ||
		    json_object_update(all, report->records[i].facts) != 0)
			OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu records", report->count));
	report->varied = calloc(json_object_size(all) + 1, sizeof *report->varied);
	if (!report->varied)
		OMT_GOTO(OMT_FAIL(err, NO_MEMORY, "%zu records", report->count));
	OMT_GOTO(compare(report, all, true, err));
	OMT_GOTO(compare(report, all, false, err));
	for (size_t i = 0; i < report->count; i++)
		label_record(report, &report->records[i]);
done:
	json_decref(all);
	return status;
}

omt_status omt_report_load(const char *const *paths, size_t count, omt_results *report,
                           omt_error *err)
{
	*report = (omt_results){.remarks = json_array()};
	if (!report->remarks)
		return OMT_FAIL(err, NO_MEMORY, "remarks");
	for (size_t i = 0; i < count; i++)
		OMT_TRY(read_file(report, paths[i], err));
	if (!report->count && json_array_size(report->remarks))
		return OMT_FAIL(err, BAD_FORMAT, "no records: %s",
		                json_string_value(json_array_get(report->remarks, 0)));
	if (!report->count)
		return OMT_FAIL(err, BAD_FORMAT, "%s: no records", count ? paths[0] : "no file");
	omt_report_find_speeds(report);
	OMT_TRY(find_varied(report, err));
	return report->exhausted ? OMT_FAIL(err, NO_MEMORY, "%zu records", report->count) : OMT_OK;
}

void omt_report_free(omt_results *report)
{
	for (size_t i = 0; i < report->count; i++) {
		json_decref(report->records[i].root);
		json_decref(report->records[i].facts);
	}
	for (size_t i = 0; i < report->varied_count; i++)
		free(report->varied[i].values);
	for (omt_text *next; report->texts; report->texts = next) {
		next = report->texts->next;
		free(report->texts);
	}
	json_decref(report->same);
	json_decref(report->remarks);
	free(report->records);
	free(report->varied);
	*report = (omt_results){0};
}
