/* omnitile.h - the public interface of omnitile, and its manual.
 *
 * omnitile turns text, images, audio and video, alone or joined, into vectors of one space with
 * the Omni-Embed-Nemotron model (arXiv 2510.03458) and finds a query's nearest passages.
 *
 *     omt_model  *model;   omt_model_open("checkpoint", &model, &err);
 *     omt_engine *engine;  omt_engine_open(model, NULL, &engine, &err);
 *     omt_embed(engine, &source, &sink, &stats, &err);
 *
 * Rules that hold for every function here
 *  - A function that can fail returns omt_status and takes an omt_error, which may be NULL. On
 *    failure the error's text is one line that names the file or value, the place and the reason.
 *  - The library never prints, never exits and never aborts on input. Progress goes through
 *    omt_progress.
 *  - A pointer is borrowed (the caller keeps it, it must live through the call), taken (the
 *    library frees it) or given (the caller frees it with the function named).
 *  - A model is immutable and may be shared by threads. An engine belongs to one thread.
 *
 * omnitile_tools.h, which this file includes, goes on with devices, tuning, plans, binaries for
 * cards, benchmarks and reports.
 */
#ifndef OMNITILE_H
#define OMNITILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define OMT_VERSION "0.1.0"

/* ---- statuses --------------------------------------------------------------------------- */

/* One list makes the enum, the names and the texts. */
#define OMT_STATUS_LIST(X)                                         \
	X(OK, "success")                                           \
	X(BAD_ARGUMENT, "an argument is out of its range")         \
	X(NO_MEMORY, "memory is exhausted")                        \
	X(IO, "a file could not be read or written")               \
	X(BAD_FORMAT, "a file's content breaks its format")        \
	X(BAD_MODEL, "a checkpoint is incomplete or inconsistent") \
	X(UNSUPPORTED, "valid, but not supported here")            \
	X(LIMIT, "a configured limit was exceeded")                \
	X(DEVICE, "the device or its driver reported an error")    \
	X(MISMATCH, "a result differs from what was expected")     \
	X(STOPPED, "the caller asked to stop")                     \
	X(STALLED, "a device did not finish its work in time")

#define OMT_STATUS_ENUM(name, text) OMT_##name,
typedef enum omt_status { OMT_STATUS_LIST(OMT_STATUS_ENUM) OMT_STATUS_COUNT } omt_status;
#undef OMT_STATUS_ENUM

typedef struct omt_error {
	omt_status status;
	char text[508]; /* one line, no newline at its end */
} omt_error;

const char *omt_status_name(omt_status status); /* "BAD_MODEL"; static */
const char *omt_status_text(omt_status status); /* the sentence of the list; static */
const char *omt_version(void);                  /* OMT_VERSION of the library in use; static */
void omt_free(void *given);                     /* frees strings and arrays given by omnitile */

/* Called from the calling thread of the long function; both may be NULL. `total` is 0 when it is
 * not known. A note is one line of what the caller may want to know though nothing failed. */
typedef struct omt_progress {
	void (*report)(void *user, const char *what, uint64_t done, uint64_t total);
	void *user;
	void (*note)(void *user, const char *text);
} omt_progress;

/* ---- items: what is embedded -------------------------------------------------------------- */

typedef enum omt_kind { OMT_TEXT, OMT_IMAGE, OMT_VIDEO, OMT_AUDIO, OMT_KIND_COUNT } omt_kind;

/* Whose prefix of config_sentence_transformers.json goes before the first part. */
typedef enum omt_role { OMT_ROLE_NONE, OMT_ROLE_QUERY, OMT_ROLE_PASSAGE } omt_role;

/* The sound track of a video: left out; a segment of its own after the video (paper, Figure 3b);
 * interleaved with the frames in 2-second chunks (TMRoPE, Figure 3a). */
typedef enum omt_fusion { OMT_AUDIO_OFF, OMT_AUDIO_SEPARATE, OMT_AUDIO_INTERLEAVED } omt_fusion;

/* How frames are chosen and resized; README "Limits". */
typedef enum omt_recipe {
	OMT_RECIPE_CARD,  /* linspace over the clip, resized twice (model card) */
	OMT_RECIPE_ST,    /* stride over arange, resized once (Sentence-Transformers) */
	OMT_RECIPE_CAP,   /* as card, `max_frames` at most, resized once */
	OMT_RECIPE_MTEB16 /* every max(1, total/16)-th frame, the first 16, resized once */
} omt_recipe;

/* Which frames of a clip: the recipe's; or those, moved to the clip's cuts: each frame that begins
 * a scene, the strongest cut first, takes the place of the nearest one that no cut has taken. Their
 * number stays, and the first frame. */
typedef enum omt_frame_choice { OMT_FRAMES_UNIFORM, OMT_FRAMES_SCENE } omt_frame_choice;

/* Whether a clip's subtitles go before it as text. */
typedef enum omt_subtitles { OMT_SUBTITLES_OFF, OMT_SUBTITLES_ON } omt_subtitles;

/* What a file may cost, and how it is read. omt_limits_init() sets the values of the reference's
 * evaluation. */
typedef struct omt_limits {
	omt_recipe recipe;
	double fps;                /* frames sampled a second: 2.0 */
	int32_t min_frames;        /* 4 */
	int32_t max_frames;        /* 64, even */
	int64_t image_min_pixels;  /* 0: preprocessor_config.json */
	int64_t image_max_pixels;  /* 0: preprocessor_config.json */
	int64_t video_min_pixels;  /* per frame: 32*14*14 */
	int64_t video_max_pixels;  /* per frame: 64*28*28 */
	int64_t max_samples;       /* audio at 16 kHz, longer is cut: 2,048,000 */
	double max_seconds;        /* of a clip that is read; longer is an error; 0: no limit */
	int64_t max_bytes;         /* of a file or pipe; larger is an error: 4 GiB */
	int64_t max_source_pixels; /* decoded picture or frame; larger is an error: 178,956,970 */
	omt_fusion fusion;         /* of a list's clips that do not say use_audio: off */
	bool apply_exif;  /* turn pictures by EXIF, drop alpha (transformers' loader): false */
	bool content_fps; /* frame rate from time stamps, not from the header: false */
	bool page;        /* pictures are pages: README "Limits": false */
	omt_frame_choice frames;       /* uniform */
	double scene_threshold;        /* FFmpeg's scene score of a cut, at least; 0 to 1: 0.3 */
	omt_subtitles subtitles;       /* off */
	const char *subtitle_language; /* as the container has it ("eng"); NULL: the default one;
	                                  borrowed, also where a list takes the limits over */
	int64_t max_characters;        /* of subtitles or a transcript, the rest is cut: 16,384 */
} omt_limits;

void omt_limits_init(omt_limits *limits);

typedef struct omt_part {
	omt_kind kind;
	const char *text;  /* OMT_TEXT: UTF-8, borrowed */
	size_t text_bytes; /* text may hold NUL bytes */
	const char *path;  /* the other kinds: a file, borrowed; "-" or "pipe:" is standard input */
	/* OMT_VIDEO, OMT_AUDIO: a file of what is said, borrowed, in place of subtitles; NULL:
	 * none. SubRip, WebVTT and ASS by content, anything else as UTF-8 text. It goes before the
	 * part, after a blank if there is text before it. */
	const char *transcript;
	omt_fusion fusion; /* OMT_VIDEO */
	omt_limits limits;
} omt_part;

typedef struct omt_item {
	const char *id; /* borrowed */
	omt_role role;
	const omt_part *parts; /* borrowed; at least one */
	size_t part_count;
	uint64_t line;    /* of the list it comes from; 0: none */
	bool more;        /* the source has the next one, too: an eager engine waits for it */
	omt_error failed; /* status != OMT_OK: the source could not make the item, and why */
} omt_item;

/* A JSON-lines list of items, one object a line; README "Lists" describes the fields. Paths are
 * relative to the list's folder. `role` and `limits` are what a line does not say. A broken line
 * comes as an item whose `failed` names file and line, and the list goes on. */
typedef struct omt_list omt_list;
omt_status omt_list_open(const char *path, omt_role role, const omt_limits *limits, omt_list **list,
                         omt_error *err);
/* False at the end. The item is the list's and lives until the next call or the close. */
bool omt_list_next(omt_list *list, const omt_item **item);
void omt_list_close(omt_list *list);

/* Whether a media file is a picture, a clip or sound, by its content. */
omt_status omt_file_kind(const char *path, omt_kind *kind, omt_error *err);

/* ---- model -------------------------------------------------------------------------------- */

typedef struct omt_model omt_model;

/* Opens a checkpoint folder in the published (Hugging Face) layout; weights are mapped. */
omt_status omt_model_open(const char *dir, omt_model **model, omt_error *err);
/* With a LoRA adapter in PEFT's format merged into its matrices, which are f32 in memory then; the
 * identity is another one (host/model/adapter.h). adapter NULL: none. */
omt_status omt_model_open_adapted(const char *dir, const char *adapter, omt_model **model,
                                  omt_error *err);
/* Writes it as a checkpoint in the published layout, with what an adapter changed, and with
 * lm_head: the embedding's values where the model has none. dir: not there, or empty. dtype:
 * "bf16", "f32", or NULL: bf16 if the checkpoint is in it throughout, else f32. */
omt_status omt_model_save(const omt_model *model, const char *dir, const char *dtype,
                          const omt_progress *progress, omt_error *err);
/* For omt_plan(), which needs no weights. like: the shapes of "tiny", "omni-embed-nemotron-3b" or a
 * config.json instead of the folder's, of which the tokenizer is taken; NULL: its own. */
omt_status omt_model_open_like(const char *dir, const char *like, omt_model **model,
                               omt_error *err);
void omt_model_close(omt_model *model);
int32_t omt_model_dimension(const omt_model *model);
char *omt_model_describe(const omt_model *model); /* JSON; given, omt_free() */

/* Which model a vector comes from: "ARCHITECTURE/DIMENSION/DIGEST". The digest is of pooling,
 * prefixes, names and shapes of all tensors and a sample of each one's content; it does not depend
 * on where the checkpoint lies or how it is cut into files. Vectors of different identities must
 * not be compared. */
#define OMT_IDENTITY_TEXT 96
omt_status omt_model_identity(const omt_model *model, char text[OMT_IDENTITY_TEXT], omt_error *err);

/* ---- engine: a model on a chain of backends ------------------------------------------------ */

/* Backend "model" computes nothing: its vectors are zeros. It takes the time that a device of the
 * speed in its file would take and uses no core meanwhile, so that what a run hides behind compute
 * can be measured on any machine.
 *
 * Threads: one budget, the cores that the process may use. `threads` of them prepare media, one
 * core each: FFmpeg and OpenBLAS start none of their own there. Backend "openblas" computes on the
 * others, at least one (openblas_set_num_threads(), which holds for the whole process). The calling
 * thread, the one that packs batches and the one of each device mostly sleep. PoCL takes all cores:
 * its threads wait without spinning, and fewer were slower or no faster wherever that was measured
 * (bench/results/2026-11-25-threads.jsonl). POCL_MAX_PTHREAD_COUNT, read once in the process, says
 * how many; the library sets no environment variable, which is not safe once there are threads.
 *
 * Several devices: each takes batches by its measured speed, results come in the source's order. A
 * vector has the same bits whichever device of a kind computed it. Devices that work in one memory
 * (parts of a device, CPU devices of a platform) use one copy of the weights. A device that fails
 * is left out from then on: the others compute its batches, `progress` a note; when none is
 * left items fail with the reason. */
typedef struct omt_engine omt_engine;

/* A trace of omt_embed() as Chrome trace events (Perfetto, chrome://tracing). A row each queue of a
 * device: compute, upload, download. A row each thread of the host: each device's driver, which
 * enqueues batches; the filler, which packs items; the calling thread, which delivers; the workers
 * with the source's time, each item's decoding and preprocessing (of an item of several files their
 * sums). What a thread waited for is a span "wait: ...", so that its row has no gaps. The file
 * appears whole at omt_trace_close(commit = true) or not at all. One engine's at a time. */
typedef struct omt_trace omt_trace;
omt_status omt_trace_open(const char *path, omt_trace **trace, omt_error *err);
omt_status omt_trace_close(omt_trace *trace, bool commit, omt_error *err); /* NULL is allowed */
/* What the calling thread did between two runs of omt_embed(), as a span of its row, in seconds of
 * CLOCK_MONOTONIC. trace NULL: nothing. */
void omt_trace_mark(omt_trace *trace, const char *name, double begin_s, double end_s);

typedef struct omt_engine_options {
	const char *backend;   /* "opencl", "openblas", "ref", "hls" (the kernels for FPGAs,
	                          simulated) or a chain "opencl,ref"; NULL: OMT_BACKEND, else
	                          "opencl,openblas,ref"; or "model" */
	const char *device;    /* number of `omnitile devices` or part of its name, or several with
	                          commas between them, or "all"; "0/2": in two parts (OpenCL
	                          sub-devices); NULL: OMT_DEVICE, else the first; "model":
	                          configs/devices/ files. 32 at most */
	const char *weights;   /* matrices on the device: "stored", as in the checkpoint (NULL), or
	                          "int8", a scale a row; then OpenCL multiplies int8 by int8,
	                          activations with a scale a token (W8A8), other backends
	                          int8 by f32; or "bf16": then OpenCL rounds activations to bf16
	                          too, others multiply bf16 by f32 */
	const char *cache;     /* folder for packed weights, as large as the checkpoint; NULL:
	                          OMT_CACHE_DIR (empty: none), else $XDG_CACHE_HOME/omnitile or
	                          ~/.cache/omnitile; "none": nothing is kept. Made at the first
	                          start, mapped at the next ones; one of another checkpoint,
	                          version or size is made again. OMT_CACHE_VERIFY=1 compares its
	                          checksums too */
	const char *tiles;     /* how the OpenCL kernels cut their work, over a device's entry:
	                          "m=12,gemm_short.rows=4"; NULL: OMT_TILES; "": neither */
	const char *bitstream; /* entry of bitstreams/manifest.yaml (the folder: OMT_BITSTREAMS)
	                          whose binary is the OpenCL program; NULL: OMT_BITSTREAM, else
	                          the first that fits, on devices that cannot build kernels;
	                          "": none. Kernels that do not end are told of as a note of
	                          `progress`, their ops run on the next backend from then on */
	int32_t slots;         /* batches in flight a device: 2; 1: no double buffering */
	int32_t batch_items;   /* items a batch at most: 8 */
	int32_t max_tokens;    /* tokens a batch at most, hence of an item too: 8192 */
	int32_t threads;       /* preparing media: 1 */
	bool eager;            /* for items that arrive over time: a batch goes as soon as a device
	                          has nothing to compute, however few items it has by then; while
	                          all compute it collects up to batch_items and max_tokens. false:
	                          batches are full, but for the last one */
	omt_progress progress; /* weights being loaded; notes of omt_embed(), too */
	omt_trace *trace;      /* of every omt_embed(); borrowed; NULL: none */
} omt_engine_options;

void omt_engine_options_init(omt_engine_options *options);

/* `model` must outlive the engine. `options` NULL: the defaults. */
omt_status omt_engine_open(const omt_model *model, const omt_engine_options *options,
                           omt_engine **engine, omt_error *err);
void omt_engine_close(omt_engine *engine);
/* JSON: backends, memory, and each device with its items, batches, seconds and "fallbacks" (ops
 * that it left to the next backend) so far; what opening took: "start": {"build_s" (kernels built
 * or loaded), "load_s" (weights onto the devices), "open_s" (all of it)}; and "ops" if they were
 * timed; given. */
char *omt_engine_describe(const omt_engine *engine);
/* On: forgets times of ops so far and times every op from now on, each waited for, so that nothing
 * runs beside it: runs take longer, and their batches' times are the host's. Off: the times stay in
 * the description, "ops": [{"op", "class" (of its tiles), "launches", "seconds", "flops",
 * "bytes"}], of all devices together; flops and bytes are what the ops' shapes ask for. Between
 * runs. */
void omt_engine_profile(omt_engine *engine, bool on);

/* ---- embedding ------------------------------------------------------------------------------ */

/* Gives item after item; false ends the run. The item must live until the next call. Preparation
 * threads call it, one at a time. It may wait for the next item to arrive: everything else goes on
 * meanwhile, but a run that is stopped ends only when it returns. */
typedef struct omt_source {
	bool (*next)(void *user, const omt_item **item);
	void *user;
} omt_source;

typedef struct omt_result {
	uint64_t index;      /* of the item in the source, from 0 */
	const char *id;      /* borrowed during the call */
	uint64_t line;       /* as in the item */
	omt_error failed;    /* status != OMT_OK: no vector, and why */
	const float *vector; /* `dimension` floats of unit length; borrowed during the call */
	int32_t dimension;
	int32_t tokens;
	uint32_t kinds; /* 1 << omt_kind for each kind of part in it */
	uint64_t batch; /* number of the batch it was in */
	/* When it was taken from the source and when this call began, CLOCK_MONOTONIC. */
	double taken_s, delivered_s;
	double latency_ms; /* between the two: the sum of the stages that follow */
	double decode_ms, preprocess_ms, pack_ms; /* of this item */
	double transfer_ms;                       /* of its batch, to the device and back */
	double compute_ms; /* of its batch, all of it, from the end of its upload on */
	double queue_ms;   /* what lies between: waiting for a thread, for a batch to be full, for
	                      the device, for its turn to be delivered */
	double prepare_ms; /* decode_ms + preprocess_ms + pack_ms */
} omt_result;

/* Takes each result, in the source's order. Another status than OMT_OK stops the run. */
typedef struct omt_sink {
	omt_status (*put)(void *user, const omt_result *result, omt_error *err);
	void *user;
} omt_sink;

typedef struct omt_embed_stats {
	uint64_t items, failed, tokens, batches;
	double wall_s;
	double prepare_s;         /* sum over items of decode, preprocessing and packing */
	double compute_s;         /* sum over batches of device time */
	double transfer_s;        /* sum over batches of the way to the device and back */
	double hidden_s;          /* part of prepare_s during which a device was computing */
	double hidden_transfer_s; /* part of transfer_s during which one computed another batch */
} omt_embed_stats;

/* Embeds all items. A bad item is a failed result and the run goes on; the status is then still
 * OMT_OK and stats->failed counts them. `stats` may be NULL. */
omt_status omt_embed(omt_engine *engine, const omt_source *source, const omt_sink *sink,
                     omt_embed_stats *stats, omt_error *err);

/* Writes results to PATH.npy (float32 [items, dimension], failed items as rows of NaN) with
 * PATH.ids.jsonl ({"id":...} or {"id":...,"error":...,"line":...} a line) and PATH.meta.json, or
 * JSON lines with ids and vectors to a PATH.jsonl or, when path is "-", to standard output. Files
 * appear whole at omt_writer_close(commit = true) or not at all, the vectors last.
 * `model`: omt_model_identity(), for the .meta.json; NULL: none is written. */
typedef struct omt_writer omt_writer;
omt_status omt_writer_open(const char *path, const char *model, int32_t dimension,
                           omt_writer **writer, omt_error *err);
omt_status omt_writer_put(omt_writer *writer, const omt_result *result, omt_error *err);
omt_status omt_writer_close(omt_writer *writer, bool commit, omt_error *err);

/* ---- many items ------------------------------------------------------------------------------ */

/* A list's vectors in shards of a folder, each whole or not there, so that a run that was killed
 * goes on after the last whole one, and several processes (ranks) share a list without talking to
 * each other. README "Many items".
 *
 *     omt_shards_open(&options, &shards, &err);
 *     omt_embed(engine, &(omt_source){omt_shards_next, shards},
 *               &(omt_sink){omt_shards_put, shards}, &stats, &err);
 *     omt_shards_close(shards, &counts, &err);
 *
 * Shard s holds the items of lines s * shard_lines + 1 to (s + 1) * shard_lines of the list and
 * belongs to rank s modulo world: lines alone decide, and the files are the same whoever made them.
 * FOLDER/manifest.json says what they were made with; another list, model or setting that changes
 * vectors is OMT_MISMATCH. FOLDER/failed.jsonl has the failed items, a line each:
 * {"id","error","line"}. */
typedef struct omt_shards omt_shards;

typedef struct omt_shards_options {
	const char *folder; /* is made; its own folder must be there */
	const char *list;   /* as omt_list_open(), but a regular file */
	omt_role role;      /* of both what a line does not say: passage */
	omt_limits limits;
	const char *model;   /* omt_model_identity() */
	const char *weights; /* as in omt_engine_options */
	bool zeros;          /* backend "model": its zeros never go beside vectors */
	int32_t dimension;
	int64_t shard_lines; /* 0: as in the folder, else 10,000 */
	int32_t rank, world; /* 0 of 1 */
	bool restart;        /* removes what is there; one rank only */
	bool retry_failed;   /* failed items of whole shards are embedded again, no others */
} omt_shards_options;

typedef struct omt_shards_counts {
	int64_t lines;                  /* of the list */
	int64_t shards, whole;          /* in all, and of them there (at the close) */
	int64_t own, own_whole;         /* this rank's */
	uint64_t items, failed;         /* in this rank's whole shards */
	int64_t todo_lines, done_lines; /* of this run: to be done at its start, done by now */
} omt_shards_counts;

void omt_shards_options_init(omt_shards_options *options);
/* Options are borrowed during the call. */
omt_status omt_shards_open(const omt_shards_options *options, omt_shards **shards, omt_error *err);
/* An omt_source's next and an omt_sink's put; a source may end a run before its time. A device that
 * fails ends the run: the items are tried again at the next start. */
bool omt_shards_next(void *shards, const omt_item **item);
omt_status omt_shards_put(void *shards, const omt_result *result, omt_error *err);
void omt_shards_count(const omt_shards *shards, omt_shards_counts *counts);
/* Writes the last shard if the run came to its end, drops it if not. `counts` may be NULL. */
omt_status omt_shards_close(omt_shards *shards, omt_shards_counts *counts, omt_error *err);

/* ---- search ---------------------------------------------------------------------------------- */

/* A vector file as a whole, queries say; any that omt_index_build() takes. Given,
 * omt_vectors_unload(). */
typedef struct omt_loaded {
	size_t count, left_out; /* rows; others had no vector */
	int32_t dimension;
	const float *values; /* [count, dimension] */
	const char *const *ids;
	const char *model; /* omt_model_identity(); NULL: not told */
	const char *path;  /* what it was read from; NULL: no file */
} omt_loaded;
omt_status omt_vectors_load(const char *path, omt_loaded **loaded, omt_error *err);
void omt_vectors_unload(omt_loaded *loaded); /* NULL is allowed */

/* Exact search over an index file: vectors, ids, checksums and the identity of the model
 * (host/index/index_file.h has the format). Files are mapped; opening one reads its ids, vectors
 * are read and compared with their checksums when a search needs them. */
typedef struct omt_index omt_index;

typedef struct omt_index_options {
	const char *storage; /* "f32" (NULL), "bf16", or "int8" or "int8,bf16": candidates by int8
	                        codes, rescored by f32 or bf16 vectors that are kept beside them */
	const char *model;   /* omt_model_identity() of the vectors; NULL: as they say themselves */
	bool force;          /* vectors that say another model are taken all the same */
	omt_progress progress;
} omt_index_options;

/* `vectors`: a .npy (f16, f32, f64) with ids and model beside it as omt_writer leaves them, a
 * .fbin, a .jsonl of {"id", "embedding"} lines, or a folder of shards; without ids beside it an
 * array's rows are numbered from 0. Rows of NaN are left out; an id that comes twice is an error.
 * `options` NULL: the defaults. Built under a temporary name. */
omt_status omt_index_build(const char *vectors, const omt_index_options *options, const char *out,
                           omt_error *err);
/* Changes of a file. One process at a time; a killed one leaves the index as it was before, or
 * after. Who has it open keeps seeing it as it was. */
omt_status omt_index_append(const char *path, const char *vectors, const omt_index_options *options,
                            omt_error *err);
/* An id that is not there is an error, and then nothing is deleted; `force`: it is passed over. */
omt_status omt_index_delete(const char *path, const char *const *ids, size_t count, bool force,
                            uint64_t *deleted, omt_error *err);
/* Written anew without what is deleted. */
omt_status omt_index_compact(const char *path, const omt_progress *progress, omt_error *err);

omt_status omt_index_open(const char *path, omt_index **index, omt_error *err);
void omt_index_close(omt_index *index);
char *omt_index_describe(const omt_index *index); /* JSON; given */
int32_t omt_index_dimension(const omt_index *index);
const char *omt_index_model(const omt_index *index); /* the index's; NULL: not known */
/* OMT_MISMATCH when both are known and differ: queries of another model find nothing of sense. */
omt_status omt_index_expect_model(const omt_index *index, const char *model, omt_error *err);
/* Reads all of it and compares with the checksums. */
omt_status omt_index_verify(const omt_index *index, omt_error *err);
/* To a .npy (ids and model beside it), .fbin (too) or .jsonl, f32, without what is deleted. */
omt_status omt_index_export(const omt_index *index, const char *path, omt_error *err);

/* What searches run on, from now on: as in omt_engine_options. backend and device NULL: the default
 * chain, and a few queries, which memory bounds, on the host. Opened by the first search that needs
 * it. */
omt_status omt_index_use(omt_index *index, const char *backend, const char *device, int32_t threads,
                         omt_error *err);

typedef struct omt_hit {
	const char *id; /* borrowed from the index */
	uint64_t row;   /* number of the vector, in the order of adding, from 0 */
	float score;    /* inner product, summed in f64 */
} omt_hit;

/* hits[query_count * k], greatest score first, equal ones by row; found[query_count] how many are
 * set. The same bits on every backend, alone and in a batch (host/index/nearest.h). One thread at a
 * time. */
omt_status omt_index_search(omt_index *index, const float *queries, size_t query_count,
                            int32_t dimension, size_t k, omt_hit *hits, size_t *found,
                            omt_error *err);

/* ---- hard negatives -------------------------------------------------------------------------- */

/* Passages that are near a query and are none of its positives, to train on. host/index/mining.h
 * describes the methods. Judgements with a grade above 0 are positives; all other passages are
 * candidates, those with a grade of 0 or below too. */
typedef struct omt_mine_options {
	omt_index *index; /* the passages; omt_index_use() says on what it is searched; or */
	const omt_loaded *passages; /* these; borrowed, as all is */
	const omt_loaded *queries;
	const char *qrels;   /* TREC or BEIR */
	const char *output;  /* JSON lines; appears whole or not at all */
	const char *method;  /* "topk", "topk_shifted", "topk_abs", "topk_marginpos",
	                        "topk_percpos" (NULL) */
	double threshold;    /* of the last three; NAN: the method's: 0.7, 0.05, 0.95 */
	int64_t skip;        /* of topk_shifted; -1: 10 */
	bool first_positive; /* of several positives the one that comes first among the passages is
	                        the reference, not the one with the lowest score */
	size_t k;            /* negatives a query at most: 4 */
	size_t sample;       /* k of so many best ones are drawn at random, all as likely; 0: the k
	                        best ones are taken */
	uint64_t seed;       /* of the sample; a query's depends on its number among the queries,
	                        and on its pair's */
	bool ignore_identical; /* a passage with the query's own id is no candidate */
	bool force;            /* queries and passages of different models */

	/* Kinds of parts, "text", "image", "text+video", "any", which two lists tell by id. */
	const char *query_list, *passage_list;
	const char *pairs; /* "text:image,text:audio": each pair for itself, queries of the first
	                      kind and passages, positives too, of the second; NULL: none */
	const char *candidates; /* candidates are of this kind, positives of any; NULL: any */

	const char *backend, *device; /* `passages` are searched on; as in omt_engine_options */
	int32_t threads;              /* of exact scores; 0: all cores */
	omt_progress progress;
	bool (*stop)(void *user); /* true: OMT_STOPPED, nothing is written; may be NULL */
	void *user;
} omt_mine_options;

void omt_mine_options_init(omt_mine_options *options);

/* A line a query (of a pair; pairs come one after the other), queries in their order:
 *     {"query":"q1","pair":"text:image","positives":[{"id":"p1","score":0.61}],
 *      "negatives":[{"id":"p7","score":0.55}, ...]}
 * positives by the order of the passages, negatives by descending score, equal ones by the order of
 * the passages; fewer than k, or none, where no more survive; "pair" only with pairs. Scores are
 * those of omt_index_search(), the survivors exact for any limit (of an index with int8 codes as
 * its searches are).
 *
 * Left out, and counted: queries without a positive in the judgements; positives that are not among
 * the passages (a note names the first ones), and queries all of whose are not. That no query is
 * left is OMT_BAD_FORMAT.
 *
 * `json`, given: {"output", "method", "threshold", "skip", "k", "sample", "seed", "passages",
 * "queries", "judged" (queries of the judgements with a positive), "without_positives",
 * "without_vector" (judged, not among the queries), "missing_positives", "without_passage" (queries
 * none of whose positives is there), "unknown_kind" (passages that their list does not have),
 * "seconds", "pairs": [{"pair", "queries", "short" (less than k), "empty", "positives",
 * "negatives", "negatives_per_query", "mean_positive", "mean_negative" (scores)}]}; without pairs a
 * single entry, whose "pair" is "". */
omt_status omt_mine(const omt_mine_options *options, char **json, omt_error *err);

/* ---- measures of retrieval ----------------------------------------------------------------- */

/* Scores runs against judgements, on files alone. Judgements: TREC ("query 0 document grade") or
 * BEIR (tab-separated, a header line). Runs: TREC ("query Q0 document rank score tag") or a JSON
 * object {query: {document: score}}. README "Measures" has the conventions. */
typedef struct omt_eval_options {
	const char *qrels;
	const char *const *runs;
	size_t run_count;
	const char *convention; /* "trec_eval" (NULL), "mteb", "mmeb" */
	const int32_t *cuts;    /* NULL: the convention's */
	size_t cut_count;
	const char *absent;    /* judged queries that are not in a run: "zero" or "skip"; NULL: as
	                          the convention does */
	bool ignore_identical; /* answers with the query's own id are dropped */
	int32_t resamples;     /* of the queries, for 95 % intervals and p values; 0: neither */
	uint64_t seed;         /* the same seed gives the same result on every machine */
	const char *per_query; /* file for the values of each query, a JSON line each; NULL: none */
} omt_eval_options;
/* `json`: {"convention", "qrels", "resamples", "seed", "runs": [{"run", "judged", "queries",
 * "answered", "measured": {"ndcg": {"10": {"value", "low", "high"}}, "map": {"": {...}}, ...},
 * "compared": {"queries", "ndcg": {"10": {"difference", "low", "high", "p_randomisation",
 * "p_bootstrap"}}, ...}}]}; cut-off "" is the whole ranking, "compared" is a later run less the
 * first one over the queries that both have. Given. A run that shares no query with the judgements
 * is OMT_BAD_FORMAT. */
omt_status omt_eval(const omt_eval_options *options, char **json, omt_error *err);

#ifdef __cplusplus
}
#endif

#include "omnitile_tools.h"

#endif
