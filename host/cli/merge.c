#include "cli/cli.h"

int cli_merge(int argc, char **argv);

int cli_merge(int argc, char **argv)
{
	static const char verb[] = "merge";
	const char *model_dir = NULL, *adapter = NULL, *output = NULL, *dtype = NULL;
	const cli_option own[] = {
		{"model", "DIR", "checkpoint in the published (Hugging Face) layout", CLI_TEXT,
	         &model_dir, 0, 0, NULL},
		{"adapter", "DIR", "LoRA adapter of it, in PEFT's format", CLI_TEXT, &adapter, 0, 0,
	         NULL},
		{"output", "DIR", "the new checkpoint: not there, or empty", CLI_TEXT, &output, 0,
	         0, NULL},
		{"dtype", "NAME", "bf16 or f32 (bf16 if the checkpoint is, else f32)", CLI_TEXT,
	         &dtype, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_model *model;
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!model_dir || !adapter || !output)
		return cli_usage(verb, "expected --model DIR, --adapter DIR and --output DIR");
	if (omt_model_open_adapted(model_dir, adapter, &model, &err) != OMT_OK)
		return cli_fail(verb, &err);
	const omt_progress progress = cli_progress(); /* --quiet is known now */
	const omt_status status = omt_model_save(model, output, dtype, &progress, &err);
	omt_model_close(model);
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	cli_progress_end();
	return CLI_OK;
}
