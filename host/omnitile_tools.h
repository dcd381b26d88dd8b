/* omnitile_tools.h - the second half of omnitile.h, which includes it: include that one. What is
 * asked about devices and models, made for them and measured on them; the same rules hold. */
#ifndef OMNITILE_TOOLS_H
#define OMNITILE_TOOLS_H

#include "omnitile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* JSON array of OpenCL devices and what each can do; given. */
omt_status omt_devices(char **json, omt_error *err);

/* Searches tiles for an OpenCL device and writes them as an entry that every later run on the
 * device takes (README "Tiles"). For each class of shapes candidates are checked for right results
 * and timed in turn with the best so far; nothing that is slower than before is written. Takes
 * minutes, and a machine that does nothing else. */
typedef struct omt_tune_options {
	const char *device; /* as in omt_engine_options */
	const char *output; /* a .yaml; one that is there keeps its match section and the classes
	                       that are not tuned; NULL: named after the device, in the user's
	                       folder, which is made */
	const char *class_name; /* "gemm"; NULL: every class */
	double seconds;         /* of search in all; 0: 900, quick 20 */
	bool quick;             /* one shape a class, fewer repeats and candidates */
	void (*line)(void *user, const char *text); /* what was tried; NULL: nobody listens */
	bool (*stop)(void *user); /* true: OMT_STOPPED, the file stays as it was; may be NULL */
	void *user;
} omt_tune_options;
/* `json` tells what was found: {"device", "output", "classes": [{"class", "tiles", "before",
 * "tried", "gflops", "ratio"}]}; given. */
omt_status omt_tune(const omt_tune_options *options, char **json, omt_error *err);

/* The plan of a batch before anything runs: JSON with every op's shape, tiles, launches, FLOPs,
 * bytes and the memory; given. `device` as in omt_engine_options, or for a device that is not there
 * a file of configs/devices/: its path, or its name ("u55c") in the user's folder or among those
 * that the library was built with. On an FPGA card the kernels of hls/ are chosen under its limits:
 * "card" has their parameters, resources, time and energy, each op its cycles, bytes, GOp/s,
 * joules and what bounds it. It is the kernels' time: preparation on the host and transfers over
 * the card's link are not in it. Joules are missing where the card's file says no power. */
typedef struct omt_plan_card {
	int32_t pe, width, rows, cols, depth; /* of the gemm kernels; 0: chosen */
	double clock_mhz;                     /* 0: the card's usual one */
	/* Not NULL: "entry" of the plan is the text of an entry of bitstreams/manifest.yaml of this
	 * name, with these kernels. */
	const char *entry;
} omt_plan_card;
typedef struct omt_plan_options {
	omt_engine_options engine;
	omt_plan_card card;
	int32_t text_tokens;  /* tokens of text an item */
	int32_t image_pixels; /* side of a square image; 0: none */
	int32_t video_frames; /* 0: none */
	double audio_seconds; /* 0: none */
	int32_t items;        /* of this kind in the batch */
} omt_plan_options;
omt_status omt_plan(const omt_model *model, const omt_plan_options *options, char **json,
                    omt_error *err);

/* The plan of a data set on an FPGA card (engine.device): one set of kernels is chosen for all
 * items together, then each group's batches, filled in order, and each item alone are gone through.
 */
typedef struct omt_plan_list {
	const omt_item *const *items; /* [count], borrowed */
	const int32_t *groups;        /* [count], each from 0 to group_count - 1 */
	size_t count;
	int32_t group_count;
	omt_progress progress;
	bool (*stop)(void *user); /* true: OMT_STOPPED; may be NULL */
	void *user;
} omt_plan_list;
/* `json`, given: {"card": as omt_plan()'s, over all batches, "groups": [{"items", "failed",
 * "reasons", "tokens", "batches", "seconds", "joules" (null: the card says no power, or no item),
 * "alone_s": [of each item]}]}. Items that cannot be read are counted as failed, with the first
 * reason. options' sizes of items are not looked at. */
omt_status omt_plan_items(const omt_model *model, const omt_plan_options *options,
                          const omt_plan_list *list, char **json, omt_error *err);

/* Checks an engine against a folder of expected values (tests/golden/data/expected is one). `line`
 * gets one sentence a check. */
typedef struct omt_verify_counts {
	uint64_t passed, failed;
} omt_verify_counts;
omt_status omt_verify(omt_engine *engine, const char *expected_dir,
                      void (*line)(void *user, bool passed, const char *text), void *user,
                      omt_verify_counts *counts, omt_error *err);

/* Binaries for FPGA cards. bitstreams/README.md describes the manifest that lists them. */
typedef struct omt_bitstream_pack_options {
	const char *manifest; /* bitstreams/manifest.yaml */
	const char *name;     /* of the entry, which says what the kernels are and on which card */
	const char *binary;   /* shared object of the kernels */
	const char *output;   /* the xclbin; appears whole or not at all */
} omt_bitstream_pack_options;
/* Packs an xclbin, the container that Xilinx's runtime loads, for an entry of flow xrt, and writes
 * its digest and our contract into the manifest. The same parts give the same bytes. */
omt_status omt_bitstream_pack(const omt_bitstream_pack_options *options, omt_error *err);
/* Makes the binary of an entry out of the kernels in folder `sources`. What OpenCL compiles (flow
 * opencl; flow intel, target emulation) is compiled and its digest written into the manifest. For
 * v++ and aoc folder `recipe` gets what they take and build.sh, which calls them; once their file
 * lies beside the manifest it wants omt_bitstream_digest(). */
omt_status omt_bitstream_build(const char *manifest, const char *name, const char *sources,
                               const char *recipe, omt_error *err);
/* Writes the digest of an entry's file, however it was made, into the manifest. */
omt_status omt_bitstream_digest(const char *manifest, const char *name, omt_error *err);
/* What is in an xclbin, whoever made it. `json`, given: {"file", "bytes", "digest", "uuid", "mode",
 * "platform", "sections": [{"kind", "name", "offset", "bytes"}], "banks": [{"bank", "tag", "type",
 * "used", "kbytes", "base"}], "units": [{"name", "type", "control", "base"}], "connections":
 * [{"argument", "unit", "bank"}], "clocks": [{"name", "type", "mhz"}], "groups" and
 * "group_connections" as banks and connections, "design": {"clock_mhz", "kernels": [{"name",
 * "ports", "args", "instances"}]}, "build", "values", "errors": [what could not be read]}. */
omt_status omt_bitstream_describe(const char *path, char **json, omt_error *err);
/* Checks an xclbin: its layout and uuid, tables, registers, units and banks, kernels against the
 * contract, and, when an entry of `manifest` (NULL: manifest.yaml beside the file, if it is there)
 * has this file, all that the entry says. `line` gets one sentence a check. */
omt_status omt_bitstream_verify(const char *path, const char *manifest,
                                void (*line)(void *user, bool passed, const char *text), void *user,
                                omt_verify_counts *counts, omt_error *err);

/* Writes a checkpoint with random weights in the published layout. */
typedef struct omt_synth_options {
	const char *like;      /* "tiny" or "omni-embed-nemotron-3b", or a config.json */
	const char *tokenizer; /* folder whose tokenizer and preprocessor files are copied; may be
	                          NULL */
	uint64_t seed;
	int64_t shard_bytes; /* 0: 5 GB */
	omt_progress progress;
} omt_synth_options;
omt_status omt_synth(const char *dir, const omt_synth_options *options, omt_error *err);

/* What a device can do at most, measured with small kernels of its own: fused multiply-adds in
 * registers, and its memory. On backends openblas and ref the CPU itself is measured, on all cores
 * that the process may use; backend "model" tells what the device's file says. A machine that does
 * nothing else gives numbers worth keeping. */
typedef struct omt_roofline_options {
	const char *backend; /* as in omt_engine_options */
	const char *device;  /* as in omt_engine_options; of several the first is measured */
	bool quick;          /* less than a second: fewer tries, small sets */
	omt_progress progress;
} omt_roofline_options;
/* `json`, given: {"device", "platform", "driver", "backend", "gflops": {"f32", "int8", "bf16"},
 * "gbytes_per_s", "gbytes_per_s_copy", "sets": [{"bytes", "gbytes_per_s", "gbytes_per_s_copy"}],
 * "tries"}. Of int8 and bf16 only what the device multiplies with kernels of that type; a fused
 * multiply-add is two operations. Bandwidth is of bytes read, of a copy read and written (not the
 * lines that a cache reads before it writes them); the two totals are of the largest set. `options`
 * NULL: the defaults. */
omt_status omt_roofline(const omt_roofline_options *options, char **json, omt_error *err);

/* Runs every point of a benchmark file (bench/README.md) and appends a record of each to the file's
 * `output`. Points whose record is there already are left out, with a note: a run that was stopped
 * goes on. A point that fails is a note, and the others run; the status is then the first one's.
 * Of a bad file every error is a note, the first one the error. */
typedef struct omt_bench_options {
	bool restart; /* runs all points, whatever `output` holds */
	bool dry_run; /* runs nothing: `line` gets {"number","point","key","done"} of each point */
	const char *output, *trace; /* instead of the file's; NULL: as it says */
	omt_progress progress;
	void (*line)(void *user, const char *json); /* each record once it is kept; may be NULL */
	bool (*stop)(void *user); /* true: OMT_STOPPED soon, without a record of this point; may be
	                             NULL; asked from any thread */
	void *user;
} omt_bench_options;
/* `options` NULL: zeros. */
omt_status omt_bench(const char *yaml_path, const omt_bench_options *options, omt_error *err);

/* Trains a model as a YAML file says (README "Training") and writes into the file's `output`
 * folder: log.jsonl, checkpoint.safetensors (the state of the run), at the end final/ (a checkpoint
 * in the published layout) or adapter/ (LoRA, in PEFT's format). A run that was stopped or killed
 * goes on from its last checkpoint when it is called again with the same settings and data, and
 * ends with the same bits; with others it is OMT_BAD_ARGUMENT, which names what differs. Items that
 * cannot be read are left out, each a note once. A loss, vector or gradient that is not finite ends
 * the run, OMT_MISMATCH; the last checkpoint stays.
 *
 * A line of the log is one of `log_every` steps, means since the last one: {"step", "steps",
 * "loss", "accuracy" (positives with the greatest score), "lr", "grad_norm" (of the last step,
 * before clipping), "masked" (pairs left out of the loss), "items_per_s", "waited_share" (of the
 * time, for items being prepared), "tape_share" (in forward and backward), "busy_share" (of the
 * workers' time there), "seconds", "left_s", "skipped" (items that could not be read)}; or an
 * evaluation: {"eval" (the set's name), "queries", "passages", "recall", "ndcg", "mrr", "step",
 * "seconds"}. */
typedef struct omt_train_options {
	const char *const *set; /* "key=value", over the file's: "optimiser.lr=1e-3",
	                           "data[0].weight=2" */
	size_t set_count;
	bool restart;     /* begins anew, whatever is in `output` */
	bool dry_run;     /* trains nothing: `line` gets the plan */
	bool export_only; /* writes final/ or adapter/ of the checkpoint that is there */
	omt_progress progress;
	/* Each line of the log once it is written; of a dry run {"plan": {...}}. May be NULL. */
	void (*line)(void *user, const char *json);
	bool (*stop)(void *user); /* true: OMT_STOPPED after this step, which is kept; or NULL */
	void *user;
} omt_train_options;
/* `options` NULL: zeros. Uses OpenBLAS with one thread a call (openblas_set_num_threads(), which
 * holds for the whole process). */
omt_status omt_train(const char *yaml_path, const omt_train_options *options, omt_error *err);

/* Compares the records of two files, point by point and part by part. Points are the same that have
 * the same key; else, when there is one of each, the same `point`; two files of one record each
 * are compared whatever they hold. */
typedef struct omt_bench_compare_options {
	const char *metrics; /* with commas: figures of a part (items_per_s, p99, ...), of a record
	                        (first_s, host_peak_bytes, ...), measures (ndcg@10, map); NULL: the
	                        usual ones that are there */
	double threshold;    /* 0.05: 5 % worse is a regression, when the interval of repetitions
	                        (if there is one) is all on the worse side, for measures when the
	                        paired test's p is below 0.05 */
} omt_bench_compare_options;
/* `json`, given: {"threshold", "points": [{"point", "parts": [{"file", "modality", "mode", "valid":
 * [a, b], "figures": [F]}], "figures": [F]}], "only_a": [point], "only_b", "regressions"}, F being
 * {"metric", "a", "b", "ratio" (b / a), "better" ("higher" or "lower"), "regression"} and with
 * repetitions "low", "high" (95 % of the ratio), for measures "difference", "difference_low",
 * "difference_high", "p". A part that was valid and is not is a regression, too. `options` NULL:
 * the defaults. */
omt_status omt_bench_compare(const char *path_a, const char *path_b,
                             const omt_bench_compare_options *options, char **json, omt_error *err);

/* Shows records of omt_bench() (JSON lines) side by side: a page that needs nothing but itself, or
 * its tables as Markdown or CSV. A last line that was cut off is a note, another one that is no
 * record of a benchmark an error with file and line. */
typedef enum omt_report_form {
	OMT_REPORT_HTML,
	OMT_REPORT_MARKDOWN,
	OMT_REPORT_CSV
} omt_report_form;
typedef struct omt_report_options {
	const char *const *inputs; /* files of records; borrowed */
	size_t input_count;
	const char *output; /* NULL or "-": standard output; a file appears whole or not at all */
	omt_report_form form;
	const char *table; /* of CSV: "parts" (NULL), or the name of another table of the page */
	omt_progress progress; /* notes */
} omt_report_options;
omt_status omt_report(const omt_report_options *options, omt_error *err);

#ifdef __cplusplus
}
#endif
#endif
