/* Media files that are broken, strange or not what they seem: each is an error of one line that
 * names the file, or works; none may crash (run this with MODE=asan). */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "golden.h"
#include "media/media.h"
#include "prep/prep.h"
#include "scratch.h"

#define INPUTS DATA "inputs/"

static omt_prep_config config;

static void set_up(void)
{
	omt_error err;
	scratch_make();
	cr_assert_eq(omt_prep_config_load(DATA "tiny", &config, &err), OMT_OK, "%s", err.text);
}

static void tear_down(void)
{
	omt_prep_config_free(&config);
	scratch_drop();
}

TestSuite(hostile, .init = set_up, .fini = tear_down, .timeout = 300);

static void check_error(const char *path, omt_status status, const omt_error *err)
{
	if (status == OMT_OK)
		return;
	cr_expect_eq(status, err->status);
	cr_expect_eq(strncmp(err->text, path, strlen(path)), 0, "%s", err->text);
	cr_expect_null(strpbrk(err->text, "\n\r"), "%s", err->text);
}

/* As each kind of part; the last error is left in *err. */
static omt_status prepare(omt_kind kind, const char *path, const omt_limits *limits, omt_error *err)
{
	omt_patches patches = {0};
	omt_mel mel = {0};
	omt_words words = {0};
	omt_status status =
		kind == OMT_IMAGE ? omt_prep_image_file(&config, limits, path, &patches, err)
		: kind == OMT_VIDEO
			? omt_prep_video_file(&config, limits, path, &patches, &mel, &words, err)
			: omt_prep_audio_file(&config, limits, path, &mel, err);
	check_error(path, status, err);
	if (status == OMT_OK) {
		free(patches.data);
		free(mel.data);
		free(words.text);
	}
	return status;
}

static void prepare_all(const char *path)
{
	omt_limits limits;
	omt_error err;
	omt_kind kind;
	omt_limits_init(&limits);
	limits.apply_exif = true;
	limits.frames = OMT_FRAMES_SCENE;
	/* A changed byte of a header may ask for much. */
	limits.max_source_pixels = 1 << 22;
	check_error(path, omt_file_kind(path, &kind, &err), &err);
	for (omt_kind as = OMT_IMAGE; as <= OMT_AUDIO; as++)
		(void)prepare(as, path, &limits, &err);
}

typedef void broken_check(const char *name, uint8_t *data, size_t bytes);

static void for_all_inputs(broken_check *check)
{
	int seen = 0;
	DIR *folder = opendir(INPUTS);
	cr_assert_not_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		char path[512], *data;
		size_t bytes;
		omt_error err;
		snprintf(path, sizeof path, INPUTS "%s", entry->d_name);
		if (entry->d_name[0] == '.' || strstr(path, ".jsonl"))
			continue;
		cr_assert_eq(omt_file_read(path, 1 << 24, &data, &bytes, &err), OMT_OK, "%s",
		             err.text);
		check(entry->d_name, (uint8_t *)data, bytes);
		free(data);
		seen++;
	}
	closedir(folder);
	cr_assert_geq(seen, 30);
}

static void cut_short(const char *name, uint8_t *data, size_t bytes)
{
	const size_t lengths[] = {
		1, 7, 33, 100, bytes / 8, bytes / 3, bytes / 2, bytes * 3 / 4, bytes - 1};
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
		prepare_all(scratch_write(name, data, lengths[i]));
}

Test(hostile, truncated)
{
	for_all_inputs(cut_short);
}

/* Bytes changed by a fixed generator, most of them near the start where headers are. */
static void damage(const char *name, uint8_t *data, size_t bytes)
{
	uint64_t state = 88172645463325252u;
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < 8; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			size_t reach = i % 2 ? bytes : bytes < 300 ? bytes : 300;
			data[state % reach] = (uint8_t)(state >> 40);
		}
		prepare_all(scratch_write(name, data, bytes));
	}
}

Test(hostile, damaged)
{
	for_all_inputs(damage);
}

static void expect_failure(omt_kind kind, const char *path, omt_status status, const char *text)
{
	omt_limits limits;
	omt_error err;
	omt_limits_init(&limits);
	cr_expect_eq(prepare(kind, path, &limits, &err), status, "%s", err.text);
	cr_expect(strstr(err.text, text), "%s", err.text);
}

/* A file that ends early says so; it is not taken for a shorter one. */
Test(hostile, truncated_is_an_error)
{
	static const struct {
		const char *name;
		omt_kind kind;
	} files[] = {{"vid_testsrc_4s.mp4", OMT_VIDEO},
	             {"img_photo_224x160.jpg", OMT_IMAGE},
	             {"img_halfeven_70x98.png", OMT_IMAGE}};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char *data;
		size_t bytes;
		char path[256];
		snprintf(path, sizeof path, INPUTS "%s", files[i].name);
		cr_assert_eq(omt_file_read(path, 1 << 24, &data, &bytes, NULL), OMT_OK);
		expect_failure(files[i].kind, scratch_write(files[i].name, data, bytes * 2 / 3),
		               OMT_BAD_FORMAT, files[i].name);
		free(data);
	}
}

Test(hostile, not_media)
{
	static const char text[] = "This is no picture.\nThere is only text in here.\n";
	for (omt_kind kind = OMT_IMAGE; kind <= OMT_AUDIO; kind++) {
		expect_failure(kind, scratch_write("empty.png", "", 0), OMT_BAD_FORMAT, "empty");
		expect_failure(kind, scratch_text("text.png", text), OMT_BAD_FORMAT, "not media");
		expect_failure(kind, scratch_path("absent"), OMT_IO, "No such file");
		expect_failure(kind, scratch_folder, OMT_IO, "not a file");
	}
}

/* Lists that name other files or addresses: those are not opened. */
Test(hostile, playlists)
{
	char *data, concat[600], hls[600];
	size_t bytes;
	cr_assert_eq(omt_file_read(INPUTS "vid_testsrc_4s.mp4", 1 << 24, &data, &bytes, NULL),
	             OMT_OK);
	scratch_write("clip.mp4", data, bytes);
	free(data);
	cr_assert_eq(chdir(scratch_folder), 0);
	snprintf(concat, sizeof concat, "ffconcat version 1.0\nfile 'clip.mp4'\n");
	snprintf(hls, sizeof hls,
	         "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXTINF:4.0,\n"
	         "file://%s/clip.mp4\n#EXT-X-ENDLIST\n",
	         scratch_folder);
	expect_failure(OMT_VIDEO, scratch_text("list.mp4", concat), OMT_UNSUPPORTED, "concat");
	expect_failure(OMT_VIDEO, scratch_text("list.m3u8", hls), OMT_UNSUPPORTED, "hls");
	expect_failure(OMT_VIDEO,
	               scratch_text("list.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n"
	                                        "c=IN IP4 127.0.0.1\nt=0 0\n"
	                                        "m=video 5004 RTP/AVP 96\n"
	                                        "a=rtpmap:96 H264/90000\n"),
	               OMT_UNSUPPORTED, "sdp");
}

Test(hostile, long_narrow_picture)
{
	static const char head[] = "P6\n1 20000\n255\n";
	size_t bytes = strlen(head) + 3 * 20000;
	char *data = calloc(1, bytes);
	memcpy(data, head, strlen(head));
	expect_failure(OMT_IMAGE, scratch_write("narrow.ppm", data, bytes), OMT_LIMIT,
	               "aspect ratio");
	free(data);
}

/* A mono f32 WAV of 16 kHz. */
static const char *write_wav(const char *name, const float *samples, uint32_t count)
{
	struct {
		char riff[4];
		uint32_t riff_bytes;
		char wave[8];
		uint32_t format_bytes;
		uint16_t format, channels;
		uint32_t rate_hz, bytes_a_second;
		uint16_t bytes_a_frame, bits;
		char data[4];
		uint32_t data_bytes;
		float samples[64];
	} file = {.riff_bytes = 36 + 4 * count,
	          .format_bytes = 16,
	          .format = 3,
	          .channels = 1,
	          .rate_hz = 16000,
	          .bytes_a_second = 64000,
	          .bytes_a_frame = 4,
	          .bits = 32,
	          .data_bytes = 4 * count};
	memcpy(file.riff, "RIFF", 4);
	memcpy(file.wave, "WAVEfmt ", 8);
	memcpy(file.data, "data", 4);
	memcpy(file.samples, samples, count * sizeof *samples);
	return scratch_write(name, &file, 44 + 4 * count);
}

Test(hostile, strange_samples)
{
	float samples[64] = {0};
	omt_limits limits;
	omt_sound sound;
	omt_error err;
	omt_limits_init(&limits);
	const char *path = write_wav("one.wav", samples, 1);
	cr_assert_eq(omt_media_audio(path, &limits, &sound, &err), OMT_OK, "%s", err.text);
	cr_expect_eq(sound.count, 1);
	free(sound.samples);
	expect_failure(OMT_AUDIO, path, OMT_BAD_FORMAT, "too few");
	samples[7] = NAN;
	expect_failure(OMT_AUDIO, write_wav("nan.wav", samples, 64), OMT_BAD_FORMAT, "sample 7");
	samples[7] = INFINITY;
	expect_failure(OMT_AUDIO, write_wav("inf.wav", samples, 64), OMT_BAD_FORMAT, "sample 7");
	expect_failure(OMT_AUDIO, write_wav("none.wav", samples, 0), OMT_BAD_FORMAT, "none.wav");
}

typedef struct feeder {
	const char *from, *to;
} feeder;

static void *feed(void *user)
{
	const feeder *in = user;
	char *data;
	size_t bytes;
	cr_assert_eq(omt_file_read(in->from, 1 << 24, &data, &bytes, NULL), OMT_OK);
	int fd = open(in->to, O_WRONLY);
	for (size_t at = 0; at < bytes;) {
		ssize_t put = write(fd, data + at, bytes - at);
		if (put <= 0)
			break;
		at += (size_t)put;
	}
	close(fd);
	free(data);
	return NULL;
}

/* What cannot be sought gives the same as the file, and keeps to max_bytes. */
Test(hostile, pipes)
{
	feeder in = {INPUTS "vid_mandel_av.mp4", scratch_path("fifo")};
	omt_limits limits;
	omt_patches piped, whole;
	omt_mel mel;
	omt_error err;
	pthread_t thread;
	omt_limits_init(&limits);
	signal(SIGPIPE, SIG_IGN);
	cr_assert_eq(mkfifo(in.to, 0600), 0);
	cr_assert_eq(pthread_create(&thread, NULL, feed, &in), 0);
	cr_assert_eq(omt_prep_video_file(&config, &limits, in.to, &piped, &mel, NULL, &err), OMT_OK,
	             "%s", err.text);
	pthread_join(thread, NULL);
	free(mel.data);
	cr_assert_eq(omt_prep_video_file(&config, &limits, in.from, &whole, NULL, NULL, &err),
	             OMT_OK);
	cr_expect_arr_eq(piped.data, whole.data, omt_patches_bytes(&config, &whole));
	free(piped.data);
	free(whole.data);
	limits.max_bytes = 5000;
	cr_assert_eq(pthread_create(&thread, NULL, feed, &in), 0);
	cr_expect_eq(prepare(OMT_VIDEO, in.to, &limits, &err), OMT_LIMIT, "%s", err.text);
	pthread_join(thread, NULL);
}

Test(hostile, standard_input)
{
	static const char *const names[] = {"-", "pipe:"};
	omt_limits limits;
	omt_image image;
	omt_error err;
	omt_limits_init(&limits);
	for (size_t i = 0; i < 2; i++) {
		int fd = open(INPUTS "img_tiny_20x20.png", O_RDONLY);
		cr_assert_geq(dup2(fd, STDIN_FILENO), 0);
		close(fd);
		cr_assert_eq(omt_media_image(names[i], &limits, &image, &err), OMT_OK, "%s",
		             err.text);
		cr_expect_eq(image.width, 20);
		free(image.data);
	}
}

static void *prepare_often(void *user)
{
	omt_limits limits;
	omt_patches patches;
	omt_mel mel;
	omt_limits_init(&limits);
	for (int i = 0; i < 4; i++) {
		uint32_t *crc = user;
		if (omt_prep_video_file(&config, &limits, INPUTS "vid_life_av.mkv", &patches, &mel,
		                        NULL, NULL) != OMT_OK)
			return NULL;
		*crc = golden_crc32(patches.data, omt_patches_bytes(&config, &patches)) ^
		       golden_crc32((uint8_t *)mel.data, 4 * 128 * (size_t)mel.frames);
		free(patches.data);
		free(mel.data);
	}
	return user;
}

/* Threads that prepare at the same time do not meet. */
Test(hostile, threads)
{
	pthread_t threads[4];
	uint32_t crcs[4];
	for (int i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, prepare_often, &crcs[i]), 0);
	for (int i = 0; i < 4; i++) {
		void *done;
		pthread_join(threads[i], &done);
		cr_assert_not_null(done);
		cr_expect_eq(crcs[i], crcs[0]);
	}
}
