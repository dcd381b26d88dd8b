/* What is kept on disk: good files are used, all others are no files. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/cache.h"
#include "base/file.h"
#include "exec/exec.h"
#include "model/packed.h"
#include "tests/unit/scratch.h"

static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char other[] = "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static omt_error err;

TestSuite(cache, .init = scratch_make, .fini = scratch_drop);

static bool loads(const char *path, const char *wanted)
{
	uint8_t *data;
	size_t bytes;
	bool loaded = omt_cache_load(path, wanted, &data, &bytes);
	if (loaded) {
		cr_expect_eq(bytes, 7);
		cr_expect_arr_eq(data, "content", 7);
		free(data);
	}
	return loaded;
}

/* The file's bytes with the one at `at` changed, `bytes` of them. */
static void damage(const char *path, long at, size_t bytes)
{
	char *text;
	size_t size;
	cr_assert_eq(omt_file_read(path, 1 << 24, &text, &size, &err), OMT_OK, "%s", err.text);
	if (at >= 0)
		text[at] ^= 1;
	FILE *file = fopen(path, "wb");
	cr_assert_not_null(file);
	fwrite(text, 1, bytes < size ? bytes : size, file);
	fclose(file);
	free(text);
}

Test(cache, entries)
{
	const char *path = scratch_path("entry");
	struct stat info;
	cr_expect_not(loads(path, key));
	omt_cache_save(path, key, "content", 7);
	cr_expect(loads(path, key));
	cr_expect_not(loads(path, other));
	cr_assert_eq(stat(path, &info), 0);
	for (long at = 0; at < info.st_size; at++) {
		omt_cache_save(path, key, "content", 7);
		damage(path, at, SIZE_MAX);
		cr_expect_not(loads(path, key), "byte %ld", at);
	}
	for (size_t bytes = 0; bytes < (size_t)info.st_size; bytes += 5) {
		omt_cache_save(path, key, "content", 7);
		damage(path, -1, bytes);
		cr_expect_not(loads(path, key), "%zu bytes", bytes);
	}
	omt_cache_save("/proc/nowhere/entry", key, "content", 7);
	cr_expect_not(loads("/proc/nowhere/entry", key));
	cr_expect_eq(scratch_files(false), 1);
}

Test(cache, folder)
{
	char *folder;
	setenv("OMT_CACHE_DIR", "", 1);
	cr_expect_null(omt_cache_folder());
	unsetenv("OMT_CACHE_DIR");
	setenv("XDG_CACHE_HOME", "/x", 1);
	cr_expect_str_eq((folder = omt_cache_folder()), "/x/omnitile");
	free(folder);
	setenv("XDG_CACHE_HOME", "relative", 1);
	setenv("HOME", "/h", 1);
	cr_expect_str_eq((folder = omt_cache_folder()), "/h/.cache/omnitile");
	free(folder);
	unsetenv("HOME");
	cr_expect_null(omt_cache_folder());
}

/* ---- programs ---- */

static void run_once(void)
{
	omt_exec *exec;
	omt_buffer *x;
	const float row[4] = {3, 0, 4, 0};
	float out[4];
	cr_assert_eq(omt_exec_open("opencl", &(omt_backend_options){0}, &exec, &err), OMT_OK, "%s",
	             err.text);
	cr_assert_eq(omt_exec_alloc(exec, sizeof row, OMT_USAGE_WORK, NULL, &x, &err), OMT_OK);
	cr_assert_eq(omt_exec_write(exec, x, 0, row, sizeof row, NULL, &err), OMT_OK);
	cr_assert_eq(OMT_RUN(exec, l2norm, &err, .x = x, .out = x, .rows = 1, .cols = 4, .ldx = 4,
	                     .ldo = 4, .eps = 1e-12f),
	             OMT_OK, "%s", err.text);
	uint64_t mark;
	cr_assert_eq(omt_exec_read(exec, x, 0, out, sizeof out, &mark, &err), OMT_OK);
	cr_assert_eq(omt_exec_wait(exec, 0, &err), OMT_OK, "%s", err.text);
	cr_expect_float_eq(out[0], 0.6f, 1e-6);
	omt_exec_free(exec, x);
	omt_exec_close(exec);
}

/* The one file of scratch/programs. */
static const char *program_file(void)
{
	static char path[512];
	DIR *folder = opendir(scratch_path("programs"));
	cr_assert_not_null(folder);
	path[0] = '\0';
	for (struct dirent *entry; (entry = readdir(folder));)
		if (entry->d_name[0] != '.') {
			cr_expect_eq(path[0], '\0', "more than one file");
			snprintf(path, sizeof path, "%s/%s", scratch_path("programs"),
			         entry->d_name);
		}
	closedir(folder);
	cr_assert_neq(path[0], '\0', "no file");
	return path;
}

Test(cache, programs)
{
	char made[OMT_DIGEST_TEXT] = "";
	uint8_t *data;
	size_t bytes, again;
	setenv("OMT_CACHE_DIR", scratch_folder, 1);
	/* The same for every class of shapes: one program. */
	setenv("OMT_TILES", "m=4,wide=1,rows=1,panels=2,k=16,queries=1,arows=4,keys=16", 1);
	run_once();
	const char *path = program_file();
	FILE *file = fopen(path, "rb");
	cr_assert_eq(fseek(file, 16, SEEK_SET), 0);
	cr_assert_eq(fread(made, 1, sizeof made - 1, file), sizeof made - 1);
	fclose(file);
	cr_assert(omt_cache_load(path, made, &data, &bytes));
	free(data);
	run_once();
	cr_expect(omt_cache_load(path, made, &data, &again));
	free(data);
	damage(path, 4000, SIZE_MAX);
	run_once();
	cr_expect(omt_cache_load(path, made, &data, &again), "a damaged program is replaced");
	free(data);
	/* Sound as a file, but nothing that the runtime takes. */
	omt_cache_save(path, made, "no program", 10);
	run_once();
	cr_assert(omt_cache_load(path, made, &data, &again));
	cr_expect_gt(again, 1000, "a foreign program is replaced");
	free(data);
	unlink(path);
	rmdir(scratch_path("programs"));
}

/* ---- packed weights ---- */

enum { A_BYTES = 5000, B_BYTES = 8 };

/* The list of a checkpoint of one shard in the scratch folder. */
static omt_packed *listed(omt_weights **weights, int32_t panel)
{
	omt_packed *packed;
	cr_assert_eq(omt_weights_open(scratch_folder, weights, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_packed_new(*weights, scratch_folder, scratch_folder, panel, "int8",
	                            &packed, &err),
	             OMT_OK, "%s", err.text);
	cr_assert_eq(omt_packed_list(packed, "a", A_BYTES, &err), OMT_OK);
	cr_assert_eq(omt_packed_list(packed, "b", B_BYTES, &err), OMT_OK);
	return packed;
}

static bool maps(int32_t panel)
{
	omt_weights *weights;
	omt_packed *packed = listed(&weights, panel);
	bool mapped = omt_packed_map(packed);
	omt_packed_free(packed);
	omt_weights_close(weights);
	return mapped;
}

/* Writes the file; its path, kept until the next call. */
static const char *write_packed(bool commit)
{
	static char path[512];
	char content[A_BYTES];
	omt_weights *weights;
	omt_packed *packed = listed(&weights, 16);
	memset(content, 'a', sizeof content);
	(void)omt_packed_map(packed);
	cr_assert_eq(omt_packed_create(packed, &err), OMT_OK, "%s", err.text);
	/* One tensor may come in portions. */
	cr_assert_eq(omt_packed_put(packed, content, 3000, &err), OMT_OK);
	cr_assert_eq(omt_packed_put(packed, content, A_BYTES - 3000, &err), OMT_OK);
	cr_assert_eq(omt_packed_put(packed, "12345678", B_BYTES, &err), OMT_OK);
	cr_assert_eq(omt_packed_close(packed, commit, &err), OMT_OK, "%s", err.text);
	snprintf(path, sizeof path, "%s", omt_packed_path(packed));
	if (commit) {
		cr_assert(omt_packed_map(packed));
		const uint8_t *a = omt_packed_take(packed, 1000);
		cr_expect_eq((uintptr_t)a % OMT_IN_PLACE_ALIGN, 0);
		cr_expect_eq(omt_packed_take(packed, A_BYTES - 1000), a + 1000);
		const uint8_t *b = omt_packed_take(packed, B_BYTES);
		cr_expect_eq((uintptr_t)b % OMT_IN_PLACE_ALIGN, 0);
		cr_expect_arr_eq(a, content, A_BYTES);
		cr_expect_arr_eq(b, "12345678", B_BYTES);
	}
	omt_packed_free(packed);
	omt_weights_close(weights);
	return path;
}

Test(cache, packed)
{
	static const char header[] =
		"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}       ";
	char shard[8 + sizeof header - 1 + 8] = {(char)(sizeof header - 1)};
	struct stat info;
	memcpy(shard + 8, header, sizeof header - 1);
	scratch_write("model.safetensors", shard, sizeof shard);

	cr_expect_not(maps(16), "nothing is there");
	(void)write_packed(false);
	cr_expect_not(maps(16), "not committed");
	const char *path = write_packed(true);
	cr_expect(maps(16));
	cr_expect_not(maps(8), "another panel");
	cr_assert_eq(stat(path, &info), 0);
	static const struct {
		long at; /* byte to change, from the end if negative */
		bool found, found_by_sums;
	} changes[] = {{0, true, true},    {23, true, true},    {40, true, true},
	               {4095, true, true}, {4096, false, true}, {4096 + 8194, false, true},
	               {-1, false, true},  {-20, false, true}};
	for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
		(void)write_packed(true);
		damage(path, changes[i].at + (changes[i].at < 0 ? info.st_size : 0), SIZE_MAX);
		cr_expect_eq(maps(16), !changes[i].found, "byte %ld", changes[i].at);
		setenv("OMT_CACHE_VERIFY", "1", 1);
		cr_expect_eq(maps(16), !changes[i].found_by_sums, "byte %ld, sums", changes[i].at);
		unsetenv("OMT_CACHE_VERIFY");
	}
	for (off_t bytes = 0; bytes < info.st_size; bytes += 1500) {
		(void)write_packed(true);
		damage(path, -1, (size_t)bytes);
		cr_expect_not(maps(16), "%lld bytes", (long long)bytes);
	}
	(void)write_packed(true);
	cr_expect(maps(16));
	/* The checkpoint as it is, but changed later. */
	const struct timespec times[2] = {{0, UTIME_OMIT}, {1000, 5}};
	cr_assert_eq(utimensat(AT_FDCWD, scratch_path("model.safetensors"), times, 0), 0);
	cr_expect_not(maps(16), "another time of change");
	unlink(path);
	rmdir(scratch_path("weights"));
}
