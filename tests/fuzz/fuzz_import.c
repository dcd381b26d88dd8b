/* A vector file, of the kind that its first byte says: a .npy, a .fbin or lines. */
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"a.npy", "a.fbin", "a.jsonl"};
	omt_loaded *loaded;
	omt_error err;
	char path[160];
	if (!size)
		return 0;
	const char *name = names[data[0] % 3];
	snprintf(path, sizeof path, "%s/%s", fuzz_folder(data + 1, size - 1, name), name);
	if (omt_vectors_load(path, &loaded, &err) == OMT_OK) {
		for (size_t i = 0; i < loaded->count; i++)
			if (!loaded->ids[i][0])
				abort();
		omt_vectors_unload(loaded);
	}
	return 0;
}
