/* keys.h - the table behind settings.h: what a benchmark file may say, and how each value is read.
 */
#ifndef OMT_BENCH_KEYS_H
#define OMT_BENCH_KEYS_H

#include "bench/settings.h"

typedef enum omt_bench_key_kind {
	KEY_SECTION, /* a mapping of keys */
	KEY_TEXT,
	KEY_PATH,   /* `words` are no paths */
	KEY_DEVICE, /* text or a number; .yaml files of a list are paths */
	KEY_CHAIN,  /* `words` with commas between them */
	KEY_NAME,   /* one of `words`, kept as text */
	KEY_WORD,   /* one of `words`, kept as its place: an enum */
	KEY_INT,
	KEY_LONG,
	KEY_REAL,
	KEY_FLAG,
	KEY_CUTS
} omt_bench_key_kind;

typedef struct omt_bench_key {
	const char *name;
	omt_bench_key_kind kind;
	bool grid; /* may hold a list of values */
	size_t at; /* in omt_bench_settings */
	double low, high;
	const char *const *words;
	unsigned modes; /* 1 << omt_bench_mode of those it is for; 0: all */
} omt_bench_key;

/* In the order in which a record lists them. */
extern const omt_bench_key omt_bench_keys[];
extern const size_t omt_bench_key_count;

const omt_bench_key *omt_bench_key_find(const char *name); /* NULL: no such key */

/* The key's value of `in`, an object of that one member, into the settings. Strings live as long as
 * `texts`, an array; paths are joined with `folder`. */
omt_status omt_bench_key_read(const omt_bench_key *key, omt_json in, const char *folder,
                              json_t *texts, omt_bench_settings *settings, omt_error *err);

/* What the settings hold at the key, in the words of the file; given. */
json_t *omt_bench_key_value(const omt_bench_key *key, const omt_bench_settings *settings);

/* Adds a string, or `name` joined with `folder`, that lives as long as `texts`. */
omt_status omt_bench_keep_text(json_t *texts, const char *text, const char **kept);
omt_status omt_bench_keep_path(json_t *texts, const char *folder, const char *name,
                               const char **kept);

/* Defaults; OMT_BACKEND, OMT_DEVICE and OMT_TILES count. */
void omt_bench_settings_init(omt_bench_settings *settings);

#endif
