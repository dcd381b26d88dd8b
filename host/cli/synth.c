#include "cli/cli.h"

int cli_synth(int argc, char **argv);

int cli_synth(int argc, char **argv)
{
	static const char verb[] = "synth";
	const char *output = NULL;
	int64_t seed = 1;
	omt_synth_options options = {.like = "tiny"};
	const cli_option own[] = {
		{"like", "SHAPE", "tiny, omni-embed-nemotron-3b, or a config.json (tiny)", CLI_TEXT,
	         &options.like, 0, 0, NULL},
		{"tokenizer", "DIR", "folder whose tokenizer and preprocessor files are copied",
	         CLI_TEXT, &options.tokenizer, 0, 0, NULL},
		{"output", "DIR", "the checkpoint", CLI_TEXT, &output, 0, 0, NULL},
		{"seed", "N", "of the random weights (1)", CLI_INT, &seed, 0, 1e15, NULL},
		{"shard-bytes", "N", "of a shard at most (5000000000)", CLI_INT,
	         &options.shard_bytes, 1, 1e15, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!output)
		return cli_usage(verb, "--output is missing");
	options.seed = (uint64_t)seed;
	options.progress = cli_progress();
	if (omt_synth(output, &options, &err) != OMT_OK)
		return cli_fail(verb, &err);
	cli_progress_end();
	return CLI_OK;
}
