/* yaml.h - a YAML file (libyaml) as a tree of jansson values that remembers its lines.
 *
 * Plain scalars become numbers, booleans and null as in YAML 1.2's core schema (.inf and .nan stay
 * strings), quoted ones strings; anchors, aliases, tags, duplicate keys, several documents and
 * nesting beyond 32 are errors with file and line. */
#ifndef OMT_BASE_YAML_H
#define OMT_BASE_YAML_H

#include "base/json.h"

typedef struct omt_yaml {
	char *path;
	json_t *root;  /* an object */
	json_t *lines; /* "data.items" -> line of that key, "data.items[2]" of an entry */
} omt_yaml;

omt_status omt_yaml_parse(const char *path, const char *text, size_t bytes, omt_yaml *yaml,
                          omt_error *err);
omt_status omt_yaml_load(const char *path, omt_yaml *yaml, omt_error *err);
void omt_yaml_free(omt_yaml *yaml);

/* The mapping at "" (the top), "data.items" or "data.items[2]", for base/json.h's getters; object
 * NULL: absent. */
omt_json omt_yaml_at(const omt_yaml *yaml, const char *key);
int omt_yaml_line(const omt_yaml *yaml, const char *key); /* 0: no such key */
/* "path:line" of that key, "path" alone where it has no line. */
#define OMT_YAML_PLACE 600
void omt_yaml_place(const omt_yaml *yaml, const char *key, char place[OMT_YAML_PLACE]);

/* "data[0].weight=2": the key gets this value, which is read as YAML, in place of the file's;
 * mappings that are not there are made, entries of lists are not. Such a key has no line. */
omt_status omt_yaml_set(omt_yaml *yaml, const char *assignment, omt_error *err);

/* Fails with file, line and name of the first key of the mapping at `at` that is not in the
 * NULL-terminated list. */
omt_status omt_yaml_only(const omt_yaml *yaml, const char *at, const char *const *keys,
                         omt_error *err);

#endif
