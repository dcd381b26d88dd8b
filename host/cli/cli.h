/* cli.h - what the verbs share: options, messages, progress. Verbs use omnitile.h and jansson only.
 */
#ifndef OMT_CLI_CLI_H
#define OMT_CLI_CLI_H

#include <jansson.h>
#include <stdio.h>

#include "omnitile.h"

/* Exit statuses. */
enum { CLI_OK = 0, CLI_SOME_FAILED = 1, CLI_FAILED = 2 };

/* An option of a verb: --name VALUE, or a flag when `metavar` is NULL. The table makes the parser
 * and the --help text. */
typedef struct cli_option {
	const char *name, *metavar, *help;
	enum { CLI_FLAG, CLI_TEXT, CLI_INT, CLI_REAL, CLI_WORD, CLI_TEXTS } type;
	void *value;              /* bool, const char *, int64_t, double, int or cli_texts */
	double low, high;         /* of numbers */
	const char *const *words; /* CLI_WORD: NULL-terminated; the index is the value */
} cli_option;

/* Values of an option that may be given more than once; borrowed from argv. */
typedef struct cli_texts {
	const char **text;
	size_t count;
} cli_texts;

typedef struct cli_verb {
	const char *name, *usage, *summary;
	int (*run)(int argc, char **argv);
} cli_verb;

extern const cli_verb cli_verbs[];

/* Common to all verbs; set by cli_parse(). */
extern bool cli_quiet, cli_json;

/* Parses argv[1..]: options in any place, the rest into *rest (borrowed from argv;
 * free(rest->text)); NULL: an error, as other bad options are.
 * --help prints and exits 0; a bad option prints one line and exits 2. `tables` is NULL-terminated.
 */
void cli_parse(const char *verb, int argc, char **argv, const cli_option *const *tables,
               cli_texts *rest);

/* "omnitile VERB: text" on standard error; returns CLI_FAILED. */
int cli_fail(const char *verb, const omt_error *err);
int cli_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Of a member: 0 and "" when it is absent or of another type. */
double cli_number(const json_t *object, const char *key);
const char *cli_string(const json_t *object, const char *key);

/* A check of a verify: a line of its own, of JSON with --json. */
void cli_check_line(void *user, bool passed, const char *text);

/* A line that is rewritten, on a terminal only; nothing with --quiet. */
omt_progress cli_progress(void);
/* The same for text of the verb's own; where there is no terminal, a line of its own. */
void cli_progress_line(const char *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void cli_progress_end(void);

/* Engine and limit options that several verbs take; the values start at the library's defaults. */
typedef struct cli_engine {
	const char *model, *adapter;
	omt_engine_options options;
	int64_t slots, batch, max_tokens, threads;
} cli_engine;

typedef struct cli_limits {
	omt_limits limits;
	int recipe, fusion, frames, subtitles;
	int64_t min_frames, max_frames;
} cli_limits;

/* Tables over the one set of values; call once before cli_parse(). */
const cli_option *cli_engine_table(cli_engine *engine);
const cli_option *cli_limits_table(cli_limits *limits);

/* Opens model and engine by the options; prints the reason and returns false on failure. */
bool cli_model_open(const char *verb, const cli_engine *from, omt_model **model);
bool cli_engine_open(const char *verb, cli_engine *from, omt_model **model, omt_engine **engine);
/* The engine alone, for a model that is open; *err says why not. */
bool cli_engine_build(const cli_engine *from, const omt_model *model, omt_engine **engine,
                      omt_error *err);
/* omt_engine_describe() parsed; NULL: no memory. */
json_t *cli_engine_described(const omt_engine *engine);
/* What each device of a described engine did, a line each; nothing for a single one. */
void cli_print_devices(FILE *to, const json_t *engine);
/* The line of an FPGA card that a plan is for. */
void cli_print_card(const json_t *card);
/* Whether it is a model of a device's time (--backend model), whose vectors are zeros; by the
 * options, before there is an engine, too. */
bool cli_engine_is_modelled(const omt_engine *engine);
bool cli_engine_models(const cli_engine *from);
void cli_warn_modelled(const char *verb, const omt_engine *engine);
/* The limits as parsed. */
const omt_limits *cli_limits_get(cli_limits *from);

/* Items made of inputs: media files, *.txt files and texts, or a list. */
typedef struct cli_items {
	const char *verb;
	omt_role role;
	const omt_limits *limits;
	const char *list_path; /* or NULL: the two below */
	cli_texts inputs, texts;
	const char *kind; /* of a pipe among the inputs; NULL: not told */

	omt_list *list;
	size_t next;
	omt_item item;
	omt_part part;
	char *content, id[32];
} cli_items;

bool cli_items_open(cli_items *items, omt_error *err);
bool cli_items_next(void *items, const omt_item **item); /* an omt_source's next */
void cli_items_close(cli_items *items);

/* The process's part of a list that several share. */
typedef struct cli_ranks {
	const char *rank_text, *world_text; /* options; NULL: not given */
	int64_t rank, world;
	const char *from; /* option or variable that told; NULL: none did, 0 of 1 */
} cli_ranks;

/* From the options, else the environment; prints what is wrong and returns false. */
bool cli_ranks_find(const char *verb, cli_ranks *ranks);

/* `embed` into a folder of shards. */
typedef struct cli_shards {
	int64_t lines; /* a shard; 0: not given */
	cli_ranks ranks;
	bool retry, restart;
} cli_shards;

const cli_option *cli_shards_table(cli_shards *shards);
/* Whether the output is a folder of shards; whether options were given that need one. */
bool cli_shards_wanted(const cli_shards *shards, const char *output);
bool cli_shards_told(const cli_shards *shards);
int cli_shards_embed(const char *verb, cli_shards *from, const cli_engine *engine,
                     const cli_items *items, const char *folder);

/* True after SIGINT or SIGTERM, once cli_catch_signals() was called. */
void cli_catch_signals(void);
bool cli_stopped(void);

#endif
