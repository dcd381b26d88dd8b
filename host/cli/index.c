#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"

int cli_index(int argc, char **argv);

typedef struct index_run {
	const char *index, *vectors, *output, *export, *delete_file;
	const char *model; /* identity, or a checkpoint's folder */
	const char *adapter;
	char identity[OMT_IDENTITY_TEXT];
	cli_texts ids;
	bool append, compact, verify;
	int storage;
	omt_index_options options;
} index_run;

static const char *const storages[] = {"f32", "bf16", "int8", "int8,bf16", NULL};

/* A folder is a checkpoint, whose identity is taken. */
static omt_status take_model(index_run *run, omt_error *err)
{
	struct stat info;
	omt_model *model;
	run->options.model = run->model;
	if (!run->model || stat(run->model, &info) != 0 || !S_ISDIR(info.st_mode))
		return OMT_OK;
	omt_status status = omt_model_open_adapted(run->model, run->adapter, &model, err);
	if (status != OMT_OK)
		return status;
	status = omt_model_identity(model, run->identity, err);
	omt_model_close(model);
	run->options.model = run->identity;
	return status;
}

/* Ids to delete, a line each, after those of --delete. */
static bool read_ids(index_run *run, char **text)
{
	FILE *file = run->delete_file ? fopen(run->delete_file, "rb") : NULL;
	size_t bytes = 0;
	FILE *to = file ? open_memstream(text, &bytes) : NULL;
	for (int c; to && (c = getc(file)) != EOF;)
		fputc(c, to);
	const bool whole = !run->delete_file || (file && to && !ferror(file));
	if (!whole)
		fprintf(stderr, "omnitile index: %s: %s\n", run->delete_file, strerror(errno));
	if (to)
		fclose(to);
	if (file)
		fclose(file);
	if (!*text)
		return whole;
	for (char *rest, *id = strtok_r(*text, "\r\n", &rest); id;
	     id = strtok_r(NULL, "\r\n", &rest)) {
		const char **more =
			realloc(run->ids.text, (run->ids.count + 1) * sizeof *run->ids.text);
		if (!more)
			return false;
		run->ids.text = more;
		run->ids.text[run->ids.count++] = id;
	}
	return whole;
}

/* What was asked for, in this order. */
static omt_status change(index_run *run, omt_error *err)
{
	omt_status status = OMT_OK;
	if (run->ids.count) {
		uint64_t deleted;
		status = omt_index_delete(run->index, run->ids.text, run->ids.count,
		                          run->options.force, &deleted, err);
		if (status == OMT_OK && !cli_quiet)
			fprintf(stderr, "%llu deleted\n", (unsigned long long)deleted);
	}
	if (status == OMT_OK && run->append)
		status = omt_index_append(run->index, run->vectors, &run->options, err);
	else if (status == OMT_OK && run->vectors)
		status = omt_index_build(run->vectors, &run->options, run->output, err);
	if (status == OMT_OK && run->compact)
		status = omt_index_compact(run->index, &run->options.progress, err);
	return status;
}

static omt_status look(const index_run *run, omt_error *err)
{
	omt_index *index;
	omt_status status = omt_index_open(run->index ? run->index : run->output, &index, err);
	if (status != OMT_OK)
		return status;
	if (run->verify)
		status = omt_index_verify(index, err);
	if (status == OMT_OK && run->export)
		status = omt_index_export(index, run->export, err);
	char *described = omt_index_describe(index);
	if (status == OMT_OK && !cli_quiet && described)
		puts(described);
	omt_free(described);
	omt_index_close(index);
	return status;
}

static const char *misused(const index_run *run)
{
	const bool changes =
		run->append || run->compact || run->verify || run->export || run->ids.count;
	if (run->output && (!run->vectors || run->index || changes))
		return "--output is a new index: expected --vectors alone beside it";
	if (!run->output && !run->index)
		return "expected --vectors FILE and --output FILE, or --index FILE";
	if (run->index && run->append != (run->vectors != NULL))
		return "--append and --vectors go together for an --index that is there";
	if (run->index && run->storage >= 0)
		return "--storage is chosen when an index is built, with --output";
	if (run->model && !run->vectors)
		return "--model says whose --vectors are: there are none";
	return NULL;
}

int cli_index(int argc, char **argv)
{
	static const char verb[] = "index";
	index_run run = {.storage = -1};
	char *text = NULL;
	const cli_option own[] = {
		{"vectors", "FILE", "a .npy, .fbin or .jsonl, or a folder of shards", CLI_TEXT,
	         &run.vectors, 0, 0, NULL},
		{"output", "FILE", "a new index of them", CLI_TEXT, &run.output, 0, 0, NULL},
		{"storage", "KIND", "f32, bf16, int8 or int8,bf16: candidates by int8 (f32)",
	         CLI_WORD, &run.storage, 0, 0, storages},
		{"index", "FILE", "one that is there; alone: what it holds", CLI_TEXT, &run.index,
	         0, 0, NULL},
		{"append", NULL, "--vectors go to --index", CLI_FLAG, &run.append, 0, 0, NULL},
		{"delete", "ID", "out of --index (may be given again)", CLI_TEXTS, &run.ids, 0, 0,
	         NULL},
		{"delete-file", "FILE", "ids, one a line", CLI_TEXT, &run.delete_file, 0, 0, NULL},
		{"compact", NULL, "write --index anew without what is deleted", CLI_FLAG,
	         &run.compact, 0, 0, NULL},
		{"verify", NULL, "compare all of --index with its checksums", CLI_FLAG, &run.verify,
	         0, 0, NULL},
		{"export", "FILE", "vectors of --index to a .npy, .fbin or .jsonl", CLI_TEXT,
	         &run.export, 0, 0, NULL},
		{"model", "MODEL", "whose vectors they are: a checkpoint, or an identity", CLI_TEXT,
	         &run.model, 0, 0, NULL},
		{"adapter", "DIR", "LoRA adapter of that checkpoint, in PEFT's format", CLI_TEXT,
	         &run.adapter, 0, 0, NULL},
		{"force", NULL, "take vectors of another model, pass over unknown ids", CLI_FLAG,
	         &run.options.force, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	int exit_status = CLI_FAILED;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!read_ids(&run, &text))
		goto done;
	const char *wrong = misused(&run);
	if (wrong) {
		cli_usage(verb, "%s", wrong);
		goto done;
	}
	run.options.storage = run.storage < 0 ? NULL : storages[run.storage];
	run.options.progress = cli_progress();
	if (take_model(&run, &err) != OMT_OK || change(&run, &err) != OMT_OK ||
	    look(&run, &err) != OMT_OK)
		cli_fail(verb, &err);
	else
		exit_status = CLI_OK;
done:
	cli_progress_end();
	free(run.ids.text);
	free(text);
	return exit_status;
}
