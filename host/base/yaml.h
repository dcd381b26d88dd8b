/* yaml.h - a YAML file (libyaml) as a tree of jansson values.
 *
 * Plain scalars become numbers, booleans and null as in YAML 1.2's core schema, quoted ones
 * strings; aliases, duplicate keys, several documents and nesting beyond 32 are errors with file
 * and line. */
#ifndef OMT_BASE_YAML_H
#define OMT_BASE_YAML_H

#include "base/json.h"

/* Given, json_decref(). */
omt_status omt_yaml_parse(const char *place, const char *text, size_t bytes, json_t **value,
                          omt_error *err);
omt_status omt_yaml_load(const char *path, json_t **value, omt_error *err);

/* Fails with file, line and name of the first key of a mapping that is not in the NULL-terminated
 * list; `path` names the mapping ("" for the top, "data" or "data.items" below). */
omt_status omt_yaml_only(const char *yaml_path, const json_t *root, const char *path,
                         const char *const *keys, omt_error *err);

#endif
