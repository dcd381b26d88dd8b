#include "index/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "index/vectors.h"

#define LAYOUT     1
#define MAX_BYTES  ((size_t)1 << 20)
#define MAX_LINES  ((int64_t)1 << 40)
#define MAX_SHARDS 10000000

char *omt_manifest_path(const char *folder)
{
	return omt_path_join(folder, "manifest.json");
}

omt_status omt_manifest_parse(const char *place, json_t *all, omt_manifest *manifest,
                              omt_error *err)
{
	omt_json in = {place, all}, list;
	int64_t layout = 0;
	omt_status status;
	*manifest = (omt_manifest){.all = all, .lines = -1};
	if (!json_is_object(all)) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an object", place);
		goto done;
	}
	OMT_GOTO(omt_json_int64(in, "layout", LAYOUT, LAYOUT, &layout, err));
	OMT_GOTO(omt_json_int64(in, "shard_lines", 1, MAX_LINES, &manifest->shard_lines, err));
	OMT_GOTO(omt_json_int(in, "dimension", 1, OMT_MAX_DIMENSION, &manifest->dimension, err));
	OMT_GOTO(omt_json_string(in, "model", &manifest->model, err));
	OMT_GOTO(omt_json_member(in, "list", &list, err));
	if (list.object)
		OMT_GOTO(omt_json_int64(list, "lines", 0, MAX_LINES, &manifest->lines, err));
	if (!layout || !manifest->shard_lines || !manifest->dimension || manifest->lines < 0)
		status = OMT_FAIL(err, BAD_FORMAT,
		                  "%s: no manifest of shards: layout, shard_lines, dimension or "
		                  "list.lines is missing",
		                  place);
	else
		manifest->shards =
			(manifest->lines + manifest->shard_lines - 1) / manifest->shard_lines;
	if (manifest->shards > MAX_SHARDS)
		status = OMT_FAIL(err, LIMIT, "%s: %lld shards, at most %d", place,
		                  (long long)manifest->shards, MAX_SHARDS);
done:
	if (status != OMT_OK)
		omt_manifest_free(manifest);
	return status;
}

omt_status omt_manifest_load(const char *path, omt_manifest *manifest, omt_error *err)
{
	json_t *all;
	*manifest = (omt_manifest){0};
	OMT_TRY(omt_json_load(path, MAX_BYTES, &all, err));
	return omt_manifest_parse(path, all, manifest, err);
}

/* Whole, under a name of this process; given. NULL: err says why. */
static char *write_fresh(const omt_manifest *manifest, const char *path, omt_error *err)
{
	char host[64] = "", *fresh = NULL;
	omt_output output;
	gethostname(host, sizeof host - 1);
	if (asprintf(&fresh, "%s.tmp.%s.%ld", path, host, (long)getpid()) < 0) {
		OMT_FAIL(err, NO_MEMORY, "%s", path);
		return NULL;
	}
	omt_status status = omt_output_open(fresh, &output, err);
	if (status == OMT_OK) {
		bool whole = json_dumpf(manifest->all, output.stream, JSON_INDENT(2)) == 0 &&
		             fputc('\n', output.stream) != EOF;
		status = omt_output_close(&output, whole, err);
		if (!whole && status == OMT_OK)
			status = OMT_FAIL(err, IO, "%s: not written", path);
	}
	if (status == OMT_OK)
		return fresh;
	free(fresh);
	return NULL;
}

omt_status omt_manifest_create(const omt_manifest *manifest, const char *path, omt_error *err)
{
	omt_status status = OMT_OK;
	char *fresh = write_fresh(manifest, path, err);
	if (!fresh)
		return err ? err->status : OMT_IO;
	/* A link is made by one of several processes only; where there are none, the last one's
	 * manifest stays, which differs only if they were started with other settings. */
	if (link(fresh, path) != 0 && errno != EEXIST && rename(fresh, path) != 0)
		status = OMT_FAIL(err, IO, "%s: %s", path, strerror(errno));
	unlink(fresh);
	free(fresh);
	return status;
}

void omt_manifest_free(omt_manifest *manifest)
{
	json_decref(manifest->all);
	*manifest = (omt_manifest){0};
}

/* Short text of a value for a message; given. */
static char *shown(const json_t *value)
{
	char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
	return text ? text : strdup("not there");
}

/* The first value that differs, as "settings.role"; NULL values are absent ones. */
static omt_status compare(const char *path, const char *key, const json_t *there,
                          const json_t *wanted, omt_error *err)
{
	const char *name;
	json_t *value;
	if (json_is_object(there) && json_is_object(wanted)) {
		char inner[128];
		json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
		{
			snprintf(inner, sizeof inner, "%s%s%s", key, *key ? "." : "", name);
			OMT_TRY(compare(path, inner, json_object_get(there, name), value, err));
		}
		json_object_foreach((json_t *)(uintptr_t)there, name, value)
		{
			snprintf(inner, sizeof inner, "%s%s%s", key, *key ? "." : "", name);
			if (!json_object_get(wanted, name))
				OMT_TRY(compare(path, inner, value, NULL, err));
		}
		return OMT_OK;
	}
	if (there && wanted && json_equal(there, wanted))
		return OMT_OK;
	char *before = shown(there), *now = shown(wanted);
	omt_status status = OMT_FAIL(err, MISMATCH, "%s: %s was %.80s, now it is %.80s", path, key,
	                             before ? before : "", now ? now : "");
	free(before);
	free(now);
	return status;
}

omt_status omt_manifest_compare(const char *path, const omt_manifest *there,
                                const omt_manifest *wanted, omt_error *err)
{
	return compare(path, "", there->all, wanted->all, err);
}
