/* report.h - the inside of omt_report(): records that were read, what varies among them, tables and
 * findings that every form of the report shows. The records' layout is in bench/README.md.
 *
 * Nothing in a record is trusted: a value of another type counts as absent, all text is escaped
 * where it is written. Strings made for a report live as long as it does. */
#ifndef OMT_BENCH_REPORT_H
#define OMT_BENCH_REPORT_H

#include <stdio.h>

#include "base/json.h"
#include "bench/report/plot.h"

/* ---- records ------------------------------------------------------------------------------- */

typedef struct omt_record {
	json_t *root;        /* the line */
	const char *place;   /* "file:line" */
	json_t *facts;       /* {"weights": "int8", ...}: what it ran as, flat, values as text */
	const json_t *parts; /* array, maybe empty */
	double speed; /* items/s of its passages (else of all items) offline, all parts together;
	                 the rate where all records are of the server mode; NAN: it has none */
	const char *label; /* what sets it apart: "int8, 512 tokens"; "" of a single record */
	char number[12];   /* "1": its place among the records, by which plots call it */
	int colour, shape; /* by the first and second fact that varies */
} omt_record;

/* A fact that is not the same in all records. */
typedef struct omt_varied {
	const char *key;     /* "engine.slots" */
	const char **values; /* in the order they were met */
	size_t count;
} omt_varied;

typedef struct omt_text omt_text; /* strings made for the report */

typedef struct omt_results {
	omt_record *records;
	size_t count;
	size_t file_first; /* the first of the file that is read */
	omt_varied *varied;
	size_t varied_count;
	json_t *same;    /* {"fact": "value"}: as in every record */
	json_t *remarks; /* array of strings: lines that were left out and why */
	omt_text *texts;
	bool exhausted; /* memory: what was made is not whole */
} omt_results;

/* Reads files of JSON lines. Of records of a file with one key the last one counts. A last line
 * that was cut off and lines of other benchmarks are remarks; other lines that are not records are
 * errors with file and line. */
omt_status omt_report_load(const char *const *paths, size_t count, omt_results *report,
                           omt_error *err);
void omt_report_free(omt_results *report);

/* A string of the report's; never NULL. */
const char *omt_report_text(omt_results *report, const char *format, ...) OMT_PRINTF(2, 3);
/* The last word of a setting's key; "card" of card.name. */
const char *omt_report_short(const char *key);

/* Value at a path of keys with dots between ("latency_ms.p99"); NULL: absent. A key may hold dots
 * itself where a whole path does. */
const json_t *omt_report_at(const json_t *object, const char *path);
/* A finite number there, or NAN; a string there, or NULL; true, false or neither (-1). */
double omt_report_number(const json_t *object, const char *path);
const char *omt_report_string(const json_t *object, const char *path);
int omt_report_truth(const json_t *object, const char *path);

/* ---- what parts tell ----------------------------------------------------------------------- */

/* "image passages, offline": what a part measured. */
const char *omt_part_name(omt_results *report, const json_t *part);
/* The same without the mode: "image passages". */
const char *omt_part_subject(omt_results *report, const json_t *part);
const char *omt_part_mode(const json_t *part);
bool omt_part_invalid(const json_t *part);
/* Strings of an array there as one text ("reasons"); "" when there are none. */
const char *omt_report_lines(omt_results *report, const json_t *object, const char *path);
/* Parts of all records by omt_part_name(), in the order met: {name: [[record, part], ...]}; those
 * with something at the path `needed` (NULL: all). Given; NULL: no memory. */
json_t *omt_report_part_groups(omt_results *report, const char *needed);
/* The record and the part of such a pair. */
const omt_record *omt_group_record(const omt_results *report, const json_t *pair);
const json_t *omt_group_part(const omt_results *report, const json_t *pair);

/* How plots show a record; hollow: a part of it is INVALID. */
omt_mark omt_record_mark(const omt_record *record);

/* Sets every record's speed; "items/s, all passages" or "queries/s": what it is. */
void omt_report_find_speeds(omt_results *report);
const char *omt_report_speed_name(const omt_results *report);
bool omt_report_is_server(const omt_results *report); /* no record has an offline part */
bool omt_record_invalid(const omt_record *record);    /* any part of it */

typedef struct omt_measured {
	double value, low, high, chance; /* NAN: absent */
} omt_measured;

/* A measure of a record's retrieval: "ndcg", "10". */
omt_measured omt_record_score(const omt_record *record, const char *measure, const char *cut);
/* The measure that stands for quality: hit@1 by the convention mmeb, else nDCG@10 or what comes
 * nearest; false: there is none. */
bool omt_report_main_measure(const omt_results *report, const char **measure, const char **cut);
/* "nDCG@10". */
const char *omt_measure_name(omt_results *report, const char *measure, const char *cut);

/* Speed and quality of every record; what is not valid or absent is NAN. */
void omt_report_trade(const omt_results *report, const char *measure, const char *cut,
                      double *speed, double *quality);

/* Which of the points no other one is at least as good as in everything and better in something:
 * the Pareto front. goods[good_count][count]: more is better; points with a NAN are never in it. */
void omt_pareto(const double *const *goods, size_t good_count, size_t count, bool *front);
/* front[records]: by speed and quality, and by latency and energy where all records that have both
 * have them, too. The criteria in words, for a sentence. */
const char *omt_report_front(omt_results *report, bool *front);
/* Over all parts that tell, by their items; latency not offline, where it is mostly waiting. NAN:
 * none tells. */
double omt_record_latency_ms(const omt_record *record);
double omt_record_joules_per_item(const omt_record *record);

/* The name that all records share, else what this is. */
const char *omt_report_title(omt_results *report);
/* The fastest record with a profile of its ops; NULL: none has one. */
const omt_record *omt_report_profiled(const omt_results *report);

/* ---- tables -------------------------------------------------------------------------------- */

typedef enum omt_cell_kind {
	OMT_CELL_TEXT,
	OMT_CELL_COUNT, /* whole numbers */
	OMT_CELL_REAL,
	OMT_CELL_SHARE, /* 0 to 1, shown in percent */
	OMT_CELL_SCORE, /* 0 to 1, with an interval */
	OMT_CELL_BYTES
} omt_cell_kind;

typedef struct omt_sheet_column {
	const char *key;   /* in CSV: "items_per_s" */
	const char *title; /* "items/s" */
	omt_cell_kind kind;
	int better; /* 1: more is better, -1: less, 0: neither */
} omt_sheet_column;

typedef struct omt_cell {
	double value, low, high; /* NAN: absent */
	const char *text;        /* of OMT_CELL_TEXT; NULL: absent */
	bool loud;               /* to be seen: INVALID */
} omt_cell;

typedef struct omt_sheet {
	const char *name;    /* "parts": of --table and the page's anchor */
	const char *title;   /* "What was measured" */
	const char *caption; /* a sentence: what the numbers are */
	omt_sheet_column *columns;
	size_t column_count;
	size_t keys;     /* of the columns, the first: what a row is about */
	size_t groups;   /* of these, the first: one heading for all rows that share them */
	omt_cell *cells; /* [rows][columns] */
	bool *invalid;   /* [rows]: never the best one */
	size_t row_count, row_room;
	bool details; /* shown when asked for */
} omt_sheet;

#define OMT_REPORT_TABLES  9
#define OMT_REPORT_COLUMNS 64 /* of a table */
typedef struct omt_sheets {
	omt_sheet table[OMT_REPORT_TABLES];
	size_t count;
} omt_sheets;

/* All tables that have rows. */
omt_status omt_report_tables(omt_results *report, omt_sheets *tables, omt_error *err);
void omt_report_tables_free(omt_sheets *tables);

/* How tables are made: columns first, the record's number and what varies among them (if there is
 * more than one record), then rows, whose cells are absent until they are set. */
omt_status omt_sheet_start(omt_sheet *table, omt_error *err);
void omt_sheet_free(omt_sheet *table);
size_t omt_sheet_add(omt_sheet *table, omt_sheet_column column);
void omt_sheet_keys(omt_results *report, omt_sheet *table);
omt_cell *omt_sheet_row(omt_sheet *table, omt_error *err); /* NULL: no memory */
/* The cells of omt_sheet_keys(); returns how many. */
size_t omt_sheet_fill_keys(const omt_results *report, const omt_record *record, omt_cell *row);
omt_status omt_sheet_points(omt_results *report, omt_sheet *table, omt_error *err);
omt_status omt_sheet_retrieval(omt_results *report, omt_sheet *table, omt_error *err);

/* A column's cells as people read them: the same decimals, one unit of bytes (in the title). */
typedef struct omt_sheet_style {
	int decimals;
	const char *unit; /* "GB", "%" or "" */
	double scale;     /* of values before they are shown */
	bool shown;       /* any cell is set */
} omt_sheet_style;
omt_sheet_style omt_sheet_styled(const omt_sheet *table, size_t column);
/* "0.372 to 0.468"; NULL: it has no interval. */
const char *omt_cell_interval(omt_results *report, const omt_cell *cell);
/* "–" where it is absent. */
const char *omt_cell_shown(omt_results *report, const omt_sheet *table, size_t row, size_t column,
                           omt_sheet_style style);

/* Whether a cell is the best of the rows first to last - 1 that are valid, and not all alike. */
bool omt_cell_is_best(const omt_sheet *table, size_t first, size_t last, size_t row, size_t column);

/* ---- findings ------------------------------------------------------------------------------ */

typedef struct omt_finding {
	const char *title; /* "Highest throughput" */
	const char *value; /* "1,024 items/s" */
	const char *text;  /* where and beside what; lines of a list when it is bad */
	bool bad;          /* INVALID parts and their reasons */
} omt_finding;

#define OMT_REPORT_FINDINGS 16
typedef struct omt_findings {
	omt_finding finding[OMT_REPORT_FINDINGS];
	size_t count;
} omt_findings;

void omt_report_findings(omt_results *report, omt_findings *findings);

/* ---- forms --------------------------------------------------------------------------------- */

void omt_report_html(FILE *out, omt_results *report, const omt_sheets *tables,
                     const omt_findings *findings);
void omt_report_markdown(FILE *out, omt_results *report, const omt_sheets *tables,
                         const omt_findings *findings);
void omt_report_csv(FILE *out, const omt_sheet *table);

/* Figures of the page, each with heading and caption; nothing where the records have none. */
void omt_report_figures(FILE *out, omt_results *report);
void omt_figure_search(FILE *out, omt_results *report);   /* server mode's trials */
void omt_figure_trade(FILE *out, omt_results *report);    /* quality against speed */
void omt_figure_scores(FILE *out, omt_results *report);   /* measures beside chance */
void omt_figure_roofline(FILE *out, omt_results *report); /* every op */
void omt_figure_memory(FILE *out, omt_results *report);

/* <figure> with its heading and caption, and its end. */
void omt_figure_open(FILE *out, const char *id, const char *title, const char *caption);
void omt_figure_close(FILE *out);
/* What colours and shapes of the records stand for; nothing where nothing varies. */
void omt_figure_legend(FILE *out, const omt_results *report);
/* A drawing at the widths of a desk and of a phone; the page shows one of them. */
typedef void (*omt_draw)(FILE *out, omt_results *report, double width, const void *data);
void omt_figure_draw(FILE *out, omt_results *report, omt_draw draw, const void *data);
#define OMT_FIGURE_PANEL  350.0 /* width of one of several side by side, and on a phone */
#define OMT_FIGURE_WIDE   960.0
#define OMT_FIGURE_PANELS 9 /* at most */

extern const char omt_report_style[]; /* CSS */

#endif
