#include "index/trec.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numeric.h"

#define MAX_GRADE 1000000 /* keeps sums of gains exact */

static const char no_memory[] = "no memory";

/* ---- tables -------------------------------------------------------------------------------- */

/* The id's number; a new one must be UTF-8, because ids go into JSON. NULL, or what is wrong. */
static const char *name(omt_names *names, const char *id, uint32_t *number)
{
	const uint32_t before = names->count;
	const size_t bytes = strlen(id);
	if (!omt_names_add(names, id, bytes, number))
		return no_memory;
	if (names->count > before) {
		json_t *text = json_stringn(id, bytes);
		if (!text)
			return "not UTF-8";
		json_decref(text);
	}
	return NULL;
}

static omt_status add(omt_table *table, const char *query, const char *document, double value,
                      omt_error *err)
{
	uint32_t key[2], row, before = table->rows.count;
	const char *wrong = name(&table->queries, query, &key[0]);
	if (!wrong)
		wrong = name(&table->documents, document, &key[1]);
	if (!wrong && !omt_names_add(&table->rows, key, sizeof key, &row))
		wrong = no_memory;
	if (!wrong && row < before)
		wrong = "for the second time";
	if (!wrong && row == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 64;
		double *values = realloc(table->values, capacity * sizeof *values);
		if (values) {
			table->values = values;
			table->capacity = capacity;
		} else {
			wrong = no_memory;
		}
	}
	if (wrong)
		return omt_fail(err, wrong == no_memory ? OMT_NO_MEMORY : OMT_BAD_FORMAT,
		                "query %.80s, document %.80s: %s", query, document, wrong);
	table->values[row] = value;
	return OMT_OK;
}

static void free_table(omt_table *table)
{
	omt_names_free(&table->queries);
	omt_names_free(&table->documents);
	omt_names_free(&table->rows);
	free(table->values);
}

omt_row omt_table_row(const omt_table *table, size_t row)
{
	uint32_t key[2];
	memcpy(key, omt_names_get(&table->rows, (uint32_t)row), sizeof key);
	return (omt_row){key[0], key[1], table->values[row]};
}

omt_status omt_table_group(const omt_table *table, uint32_t **order, uint32_t **starts,
                           omt_error *err)
{
	const uint32_t queries = table->queries.count, rows = table->rows.count;
	uint32_t *next = calloc((size_t)queries + 2, sizeof *next);
	*starts = NULL;
	*order = malloc(((size_t)rows + 1) * sizeof **order);
	if (!next || !*order) {
		free(next);
		free(*order);
		*order = NULL;
		return OMT_FAIL(err, NO_MEMORY, "%u answers", rows);
	}
	/* Counted two places ahead: after the rows are laid out, next[q] has become the start. */
	for (uint32_t i = 0; i < rows; i++)
		next[omt_table_row(table, i).query + 2]++;
	for (uint32_t q = 2; q < queries + 2; q++)
		next[q] += next[q - 1];
	for (uint32_t i = 0; i < rows; i++)
		(*order)[next[omt_table_row(table, i).query + 1]++] = i;
	*starts = next;
	return OMT_OK;
}

/* ---- files --------------------------------------------------------------------------------- */

typedef struct reader {
	const char *path;
	size_t line;
	const char *separators;
	omt_table *table;
	omt_error *err;
} reader;

#define MAX_FIELDS 8

typedef omt_status take_fields(reader *in, char *const *fields, int count);

static omt_status wrong_line(const reader *in, const char *expected)
{
	return OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: not \"%s\"", in->path, in->line, expected);
}

static omt_status add_line(reader *in, const char *query, const char *document, double value)
{
	omt_status status = add(in->table, query, document, value, in->err);
	return status == OMT_OK ? status
	                        : omt_fail_at(in->err, status, "%s:%zu", in->path, in->line);
}

static omt_status take_qrel(reader *in, char *const *fields, int count)
{
	char *end;
	const char *grade = fields[count - 1];
	if (count == 3 && in->line == 1 && !strcmp(grade, "score")) {
		in->separators = "\t\r\n";
		return OMT_OK;
	}
	errno = 0;
	long value = strtol(grade, &end, 10);
	if (*end || errno || labs(value) > MAX_GRADE || (count != 3 && count != 4))
		return wrong_line(in, "query 0 document grade");
	return add_line(in, fields[0], fields[count - 2], (double)value);
}

static omt_status take_answer(reader *in, char *const *fields, int count)
{
	char *end = NULL;
	double score = count == 6 ? omt_numeric_read(fields[4], &end) : 0;
	if (!end || *end || !isfinite(score))
		return wrong_line(in, "query Q0 document rank score tag");
	return add_line(in, fields[0], fields[2], score);
}

static omt_status read_lines(reader *in, FILE *file, take_fields *take)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t bytes;
	omt_status status = OMT_OK;
	errno = 0;
	while (status == OMT_OK && (bytes = getline(&line, &room, file)) >= 0) {
		char *fields[MAX_FIELDS], *save = NULL;
		int count = 0;
		in->line++;
		if (strlen(line) != (size_t)bytes) {
			status = OMT_FAIL(in->err, BAD_FORMAT, "%s:%zu: a NUL byte", in->path,
			                  in->line);
			break;
		}
		for (char *field = strtok_r(line, in->separators, &save);
		     field && count < MAX_FIELDS; field = strtok_r(NULL, in->separators, &save))
			fields[count++] = field;
		if (count)
			status = take(in, fields, count);
	}
	if (status == OMT_OK && !feof(file))
		status = OMT_FAIL(in->err, IO, "%s: %s", in->path, strerror(errno));
	free(line);
	return status;
}

static omt_status add_answers(reader *in, const char *query, const json_t *answers)
{
	const char *document;
	json_t *score;
	uint32_t number;
	if (!json_is_object(answers))
		return OMT_FAIL(in->err, BAD_FORMAT, "%s: query %.80s: not an object", in->path,
		                query);
	/* A query without answers is there all the same. */
	if (!omt_names_add(&in->table->queries, query, strlen(query), &number))
		return OMT_FAIL(in->err, NO_MEMORY, "%s", in->path);
	json_object_foreach((json_t *)(uintptr_t)answers, document, score)
	{
		if (!json_is_number(score))
			return OMT_FAIL(in->err, BAD_FORMAT,
			                "%s: query %.80s, document %.80s: not a number", in->path,
			                query, document);
		OMT_TRY(add(in->table, query, document, json_number_value(score), in->err));
	}
	return OMT_OK;
}

/* {query: {document: score}} */
static omt_status read_json(reader *in, FILE *file)
{
	json_error_t error;
	json_t *answers, *run = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
	const char *query;
	omt_status status = OMT_OK;
	if (!run)
		return OMT_FAIL(in->err, BAD_FORMAT, "%s:%d:%d: not JSON: %s", in->path, error.line,
		                error.column, error.text);
	json_object_foreach(run, query, answers)
	{
		status = add_answers(in, query, answers);
		if (status != OMT_OK)
			break;
	}
	json_decref(run);
	return status;
}

/* `json`: what is an object is read as one. */
static omt_status load(const char *path, omt_table *table, take_fields *take, bool json,
                       omt_error *err)
{
	reader in = {path, 0, " \t\r\n", table, err};
	FILE *file = fopen(path, "rbe");
	omt_status status;
	int first;
	if (!file)
		return OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	first = getc(file);
	ungetc(first, file);
	status = json && first == '{' ? read_json(&in, file) : read_lines(&in, file, take);
	fclose(file);
	return status;
}

omt_status omt_qrels_load(const char *path, omt_qrels **given, omt_error *err)
{
	*given = NULL;
	omt_qrels *qrels = calloc(1, sizeof *qrels);
	if (!qrels)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	omt_status status = load(path, &qrels->table, take_qrel, false, err);
	if (status != OMT_OK)
		omt_qrels_free(qrels);
	else
		*given = qrels;
	return status;
}

void omt_qrels_free(omt_qrels *qrels)
{
	if (qrels)
		free_table(&qrels->table);
	free(qrels);
}

omt_status omt_run_new(omt_run **run, omt_error *err)
{
	*run = calloc(1, sizeof **run);
	return *run ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "a run");
}

omt_status omt_run_load(const char *path, omt_run **run, omt_error *err)
{
	OMT_TRY(omt_run_new(run, err));
	omt_status status = load(path, &(*run)->table, take_answer, true, err);
	if (status != OMT_OK) {
		omt_run_free(*run);
		*run = NULL;
	}
	return status;
}

omt_status omt_run_add(omt_run *run, const char *query, const char *document, double score,
                       omt_error *err)
{
	if (!isfinite(score))
		return OMT_FAIL(err, BAD_ARGUMENT, "query %.80s, document %.80s: score %g", query,
		                document, score);
	return add(&run->table, query, document, score, err);
}

void omt_run_free(omt_run *run)
{
	if (run)
		free_table(&run->table);
	free(run);
}
