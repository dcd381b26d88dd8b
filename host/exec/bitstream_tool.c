/* omt_bitstream_pack(), _describe(), _verify(): files around exec/bitstream.h and exec/xclbin.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "exec/bitstream.h"
#include "exec/device_entry.h"
#include "exec/xclbin.h"

/* ---- packing ---- */

omt_status omt_xclbin_card_banks(const char *card, omt_xclbin_bank banks[OMT_BITSTREAM_BANKS],
                                 size_t *count, omt_error *err)
{
	static const struct {
		omt_axlf_memory type;
		const char *tag;
	} kinds[OMT_CARD_MEMORIES] = {
		[OMT_CARD_hbm] = {OMT_AXLF_MEM_HBM, "HBM"},
		[OMT_CARD_ddr] = {OMT_AXLF_MEM_DDR4, "DDR"},
	};
	omt_device_file file;
	bool there;
	*count = 0;
	OMT_TRY(omt_device_named(card, &file, &there, err));
	if (!there || !file.is_card)
		return OMT_FAIL(err, UNSUPPORTED, "%s: no card among the devices' files", card);
	for (omt_card_memory_kind kind = 0; kind < OMT_CARD_MEMORIES; kind++)
		for (int32_t i = 0; i < file.card.memory[kind].count; i++) {
			if (*count == OMT_BITSTREAM_BANKS)
				return OMT_FAIL(err, LIMIT, "%s: more than %d banks", card,
				                OMT_BITSTREAM_BANKS);
			omt_xclbin_bank *bank = &banks[(*count)++];
			bank->type = kinds[kind].type;
			bank->bytes = (uint64_t)file.card.memory[kind].bytes;
			snprintf(bank->tag, sizeof bank->tag, "%s[%d]", kinds[kind].tag, i);
		}
	return OMT_OK;
}

static omt_status write_file(const char *path, const uint8_t *data, size_t bytes, omt_error *err)
{
	omt_output out;
	OMT_TRY(omt_output_open(path, &out, err));
	fwrite(data, 1, bytes, out.stream);
	return omt_output_close(&out, true, err);
}

static omt_status pack_entry(const omt_bitstreams *all, const omt_bitstream *entry,
                             const omt_bitstream_pack_options *options, omt_error *err)
{
	omt_xclbin_bank banks[OMT_BITSTREAM_BANKS];
	char digest[OMT_DIGEST_TEXT];
	uint8_t *data = NULL;
	size_t count, bytes;
	omt_map binary = {0};
	omt_status status;
	OMT_GOTO(omt_map_open(options->binary, &binary, err));
	status = omt_xclbin_card_banks(entry->card, banks, &count, err);
	if (status == OMT_OK)
		status = omt_xclbin_pack(entry, banks, count, binary.data, binary.bytes, &data,
		                         &bytes, err);
	if (status != OMT_OK) {
		(void)omt_fail_at(err, status, "%s:%d", all->path, entry->line);
		goto done;
	}
	OMT_GOTO(write_file(options->output, data, bytes, err));
	OMT_GOTO(omt_digest_data(data, bytes, digest, err));
	status = omt_bitstreams_set_digest(options->manifest, entry->name, digest, err);
done:
	omt_map_close(&binary);
	free(data);
	return status;
}

omt_status omt_bitstream_pack(const omt_bitstream_pack_options *options, omt_error *err)
{
	omt_bitstreams all;
	const omt_bitstream *entry;
	OMT_TRY(omt_bitstreams_load(options->manifest, &all, err));
	omt_status status = omt_bitstreams_find(&all, options->name, NULL, NULL, &entry, err);
	if (status == OMT_OK)
		status = pack_entry(&all, entry, options, err);
	omt_bitstreams_free(&all);
	return status;
}

omt_status omt_bitstream_digest(const char *manifest, const char *name, omt_error *err)
{
	omt_bitstreams all;
	const omt_bitstream *entry;
	char digest[OMT_DIGEST_TEXT], *path = NULL;
	OMT_TRY(omt_bitstreams_load(manifest, &all, err));
	omt_status status = omt_bitstreams_find(&all, name, NULL, NULL, &entry, err);
	if (status == OMT_OK && !(path = omt_bitstream_path(&all, entry)))
		status = OMT_FAIL(err, NO_MEMORY, "%s", manifest);
	if (status == OMT_OK)
		status = omt_digest_file(path, digest, err);
	if (status == OMT_OK)
		status = omt_bitstreams_set_digest(manifest, name, digest, err);
	free(path);
	omt_bitstreams_free(&all);
	return status;
}

/* ---- looking ---- */

static omt_status open_container(const char *path, omt_map *map, omt_xclbin *file, omt_error *err)
{
	*file = (omt_xclbin){0};
	OMT_TRY(omt_map_open(path, map, err));
	omt_status status = omt_xclbin_parse(path, map->data, map->bytes, file, err);
	if (status != OMT_OK)
		omt_map_close(map);
	return status;
}

omt_status omt_bitstream_describe(const char *path, char **json, omt_error *err)
{
	omt_xclbin file;
	omt_map map;
	*json = NULL;
	OMT_TRY(open_container(path, &map, &file, err));
	json_t *all = omt_xclbin_describe(&file);
	*json = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
	json_decref(all);
	omt_xclbin_free(&file);
	omt_map_close(&map);
	return *json ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "%s", path);
}

/* The entry that names the file; NULL: none does. */
static const omt_bitstream *entry_of_file(const omt_bitstreams *all, const char *path)
{
	const omt_bitstream *found = NULL;
	for (size_t i = 0; !found && i < all->count; i++) {
		char *own = omt_bitstream_path(all, &all->entries[i]);
		if (own && omt_files_are_one(own, path))
			found = &all->entries[i];
		free(own);
	}
	return found;
}

/* The manifest named, else the one beside the file, if there is one. */
static omt_status load_manifest(const char *path, const char *manifest, omt_bitstreams *all,
                                omt_error *err)
{
	omt_status status = OMT_OK;
	char *folder = manifest ? NULL : omt_path_folder(path);
	char *beside = folder ? omt_path_join(folder, "manifest.yaml") : NULL;
	*all = (omt_bitstreams){0};
	if (manifest || (beside && omt_file_exists(beside)))
		status = omt_bitstreams_load(manifest ? manifest : beside, all, err);
	free(beside);
	free(folder);
	return status;
}

omt_status omt_bitstream_verify(const char *path, const char *manifest,
                                void (*line)(void *user, bool passed, const char *text), void *user,
                                omt_verify_counts *counts, omt_error *err)
{
	omt_xclbin_checks checks = {.line = line, .user = user};
	omt_bitstreams all;
	omt_xclbin file = {0};
	omt_map map = {0};
	omt_status status;
	*counts = (omt_verify_counts){0};
	OMT_TRY(load_manifest(path, manifest, &all, err));
	OMT_GOTO(open_container(path, &map, &file, err));
	const omt_bitstream *entry = entry_of_file(&all, path);
	if (manifest && !entry)
		status = OMT_FAIL(err, UNSUPPORTED, "%s: no entry of %s has this file", path,
		                  manifest);
	else
		omt_xclbin_verify(&file, entry, &checks);
	*counts = (omt_verify_counts){checks.passed, checks.failed};
done:
	omt_xclbin_free(&file);
	omt_map_close(&map);
	omt_bitstreams_free(&all);
	return status;
}
