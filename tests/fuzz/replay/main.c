/* Runs a fuzz target once over each file of the folders given: the kept corpus, with any compiler.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	static uint8_t data[1 << 20];
	if (!file)
		return 0;
	size_t size = fread(data, 1, sizeof data, file);
	fclose(file);
	/* A copy of the exact size, so that a sanitizer sees a read beyond it. */
	uint8_t *copy = malloc(size + !size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 1;
}

int main(int argc, char **argv)
{
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 2;
		}
		for (struct dirent *entry; (entry = readdir(folder));) {
			char path[1024];
			snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
			if (entry->d_name[0] != '.')
				count += run_file(path);
		}
		closedir(folder);
	}
	printf("%s: %d inputs\n", argv[0], count);
	return count ? 0 : 1;
}
