/* A manifest of binaries: read, asked for an entry, and changed. */
#include "exec/bitstream.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char digest[] =
		"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
	omt_bitstreams all;
	const omt_bitstream *entry;
	omt_map map;
	omt_error err;
	char path[128];
	snprintf(path, sizeof path, "%s/manifest.yaml", fuzz_folder(data, size, "manifest.yaml"));
	if (omt_bitstreams_load(path, &all, &err) != OMT_OK)
		return 0;
	for (size_t i = 0; i < all.count; i++) {
		if (omt_bitstream_load(&all, &all.entries[i], &map, &err) == OMT_OK)
			omt_map_close(&map);
		(void)omt_bitstreams_set_digest(path, all.entries[i].name, digest, &err);
	}
	(void)omt_bitstreams_find(&all, NULL, "Xilinx", "u250", &entry, &err);
	omt_bitstreams_free(&all);
	return 0;
}
