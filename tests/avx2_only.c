/* avx2_only.c - a library for LD_PRELOAD that hides AVX-512 from PoCL, for tests of the AVX2 path
 * on a machine that has both.
 *
 * PoCL takes its device's name, its kernel library and the instructions that it may use from LLVM's
 * llvm::sys::getHostCPUFeatures and getHostCPUName. This library stands in front of both: it calls
 * the real ones, turns every "avx512..." feature off, and gives a name of a CPU without them.
 * Layouts: llvm/ADT/StringMap.h and StringRef.h, the same in LLVM 9 to 18; sret and this-less calls
 * of the Itanium C++ ABI on x86-64, where a StringRef of two words comes back in registers. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* llvm::StringMap<bool>; an entry's key, NUL-terminated, lies item_size bytes after its start. */
typedef struct string_map {
	void **table; /* of `buckets` entries: NULL, a tombstone or an entry */
	unsigned buckets, items, tombstones, item_size;
} string_map;

typedef struct entry {
	size_t key_length;
	bool value;
} entry;

/* llvm::StringRef */
typedef struct string_ref {
	const char *data;
	size_t length;
} string_ref;

#define FEATURES _ZN4llvm3sys18getHostCPUFeaturesERNS_9StringMapIbNS_15MallocAllocatorEEE
#define CPU_NAME _ZN4llvm3sys14getHostCPUNameEv
#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)

bool FEATURES(string_map *features);
string_ref CPU_NAME(void);

/* The function that the caller would have called: the loader opens PoCL and its LLVM out of sight
 * of RTLD_NEXT, so it is looked up from the caller's library on. */
static void *real(const char *name, void *caller)
{
	Dl_info info;
	void *library =
		dladdr(caller, &info) ? dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : NULL;
	void *found = library ? dlsym(library, name) : NULL;
	if (library)
		dlclose(library);
	if (!found)
		abort(); /* a test that would not test what it says */
	return found;
}

bool FEATURES(string_map *features)
{
	bool (*next)(string_map *) = NULL;
	*(void **)&next = real(TEXT(FEATURES), __builtin_return_address(0));
	const bool known = next(features);
	for (unsigned i = 0; i < features->buckets; i++) {
		entry *at = features->table[i];
		/* A tombstone is the largest address of the entries' alignment. */
		if (!at || (size_t)at >= (size_t)-64)
			continue;
		if (!strncmp((const char *)at + features->item_size, "avx512", 6))
			at->value = false;
	}
	return known;
}

string_ref CPU_NAME(void)
{
	string_ref (*next)(void) = NULL;
	*(void **)&next = real(TEXT(CPU_NAME), __builtin_return_address(0));
	static const char avx2[] = "haswell";
	(void)next;
	return (string_ref){avx2, sizeof avx2 - 1};
}
