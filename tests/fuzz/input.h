/* input.h - a fuzzer's input as a file, for parsers that take a path. */
#ifndef TESTS_FUZZ_INPUT_H
#define TESTS_FUZZ_INPUT_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "omnitile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An unnamed file in memory; path gets a name that opens it. Close it after use. */
static inline int fuzz_file(const uint8_t *data, size_t size, char path[64])
{
	int fd = memfd_create("fuzz", 0);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* A folder in /tmp that holds the input under `name`, beside nothing else; made once a process. */
static inline const char *fuzz_folder(const uint8_t *data, size_t size, const char *name)
{
	static char folder[] = "/tmp/omnitile-fuzz-XXXXXX";
	static int made;
	char path[128];
	if (!made && !mkdtemp(folder))
		abort();
	made = 1;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(data, 1, size, file) != size)
		abort();
	fclose(file);
	return folder;
}

#endif
