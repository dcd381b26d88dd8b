#include <errno.h>
#include <string.h>

#include "cli/cli.h"

int cli_devices(int argc, char **argv);
int cli_tune(int argc, char **argv);
int cli_plan(int argc, char **argv);
int cli_embed(int argc, char **argv);
int cli_index(int argc, char **argv);
int cli_search(int argc, char **argv);
int cli_mine(int argc, char **argv);
int cli_eval(int argc, char **argv);
int cli_train(int argc, char **argv);
int cli_bench(int argc, char **argv);
int cli_roofline(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_synth(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_bitstream(int argc, char **argv);
int cli_bitstream_build(int argc, char **argv);
int cli_bitstream_pack(int argc, char **argv);
int cli_bitstream_digest(int argc, char **argv);
int cli_bitstream_info(int argc, char **argv);
int cli_bitstream_verify(int argc, char **argv);

const cli_verb cli_verbs[] = {
	{"devices", "[options]", "Lists what OpenCL sees and what each device can do.",
         cli_devices},
	{"tune", "[options]", "Searches how a device's kernels best cut their work, and keeps it.",
         cli_tune},
	{"plan", "--model DIR [options]",
         "Prints the tile plan of a batch: shapes, launches, FLOPs, bytes, memory.", cli_plan},
	{"embed", "--model DIR [options] INPUT... | --text TEXT... | --input list.jsonl",
         "Turns text, pictures, sound and clips into vectors.", cli_embed},
	{"index", "--vectors FILE --output passages.idx | --index passages.idx [options]",
         "Builds an index file from vectors and their ids, or changes one.", cli_index},
	{"search", "--index passages.idx --model DIR INPUT... | --text TEXT... | --queries FILE",
         "Finds the nearest passages of each query, exactly.", cli_search},
	{"mine", "--qrels FILE --output FILE --queries LIST --index FILE [options]",
         "Finds hard negatives of each query, to train on.", cli_mine},
	{"eval", "--qrels FILE --run FILE [--run FILE...] [options]",
         "Scores runs against judgements, and tells which differences are sure.", cli_eval},
	{"train", "[options] FILE.yaml",
         "Trains a model, or a LoRA beside it, on lists of queries and passages.", cli_train},
	{"bench", "[options] FILE.yaml | --compare A.jsonl B.jsonl",
         "Runs a benchmark: throughput, latency and retrieval quality together.", cli_bench},
	{"bench roofline", "[options]",
         "Measures what a device can do at most: multiply-adds and memory.", cli_roofline},
	{"report", "[options] results.jsonl...",
         "Shows a benchmark's records: a page with tables and plots, Markdown or CSV.", cli_report},
	{"verify", "--model DIR --expected DIR [options]",
         "Checks a checkpoint against a folder of expected values.", cli_verify},
	{"synth", "--like SHAPE --tokenizer DIR --output DIR [options]",
         "Writes a checkpoint with random weights in the published layout.", cli_synth},
	{"merge", "--model DIR --adapter DIR --output DIR [options]",
         "Merges a LoRA adapter into a checkpoint, as a checkpoint of its own.", cli_merge},
	{"bitstream", "build | pack | digest | info | verify",
         "Makes, packs and checks binaries for FPGA cards.", cli_bitstream},
	{"bitstream build", "--name NAME [options]",
         "Makes the binary of an entry of a manifest out of the kernels in hls/.",
         cli_bitstream_build},
	{"bitstream pack", "--name NAME --binary kernels.so --output FILE.xclbin [options]",
         "Packs an xclbin for an entry of a manifest, which gets its digest.", cli_bitstream_pack},
	{"bitstream digest", "--name NAME [options]",
         "Writes the digest of an entry's file into the manifest.", cli_bitstream_digest},
	{"bitstream info", "[options] FILE.xclbin",
         "Shows sections, kernels with their registers, units, banks and clocks of an xclbin.",
         cli_bitstream_info},
	{"bitstream verify", "[options] FILE.xclbin",
         "Checks an xclbin against its format, the contract and the manifest's entry.",
         cli_bitstream_verify},
	{0},
};

static int help(FILE *to)
{
	fprintf(to, "usage: omnitile VERB [options]\n\n");
	for (const cli_verb *verb = cli_verbs; verb->name; verb++)
		fprintf(to, "  %-17s %s\n", verb->name, verb->summary);
	fprintf(to, "\nomnitile VERB --help lists a verb's options; --version prints the version.\n"
	            "Exit status: 0 all right, 1 some items failed, 2 could not run.\n");
	return to == stdout ? CLI_OK : CLI_FAILED;
}

/* What a full disk did not take of the output is no success, whatever was printed before. */
static int end(const char *verb, int exit_status)
{
	const bool lost = ferror(stdout) != 0;
	if ((fflush(stdout) == 0 && !lost) || exit_status == CLI_FAILED)
		return exit_status;
	fprintf(stderr, "omnitile %s: standard output: not written: %s\n", verb,
	        lost ? "some of it is lost" : strerror(errno));
	return CLI_FAILED;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return help(stderr);
	if (!strcmp(argv[1], "--version")) {
		printf("omnitile %s\n", omt_version());
		return CLI_OK;
	}
	bool wants_help = !strcmp(argv[1], "help");
	if (!strcmp(argv[1], "--help") || (wants_help && argc == 2))
		return help(stdout);
	for (const cli_verb *verb = cli_verbs; verb->name; verb++) {
		if (strcmp(verb->name, argv[wants_help ? 2 : 1]))
			continue;
		char *asks[] = {argv[0], "--help", NULL};
		return end(verb->name,
		           wants_help ? verb->run(2, asks) : verb->run(argc - 1, argv + 1));
	}
	fprintf(stderr, "omnitile: unknown verb \"%s\" (omnitile --help)\n",
	        argv[wants_help ? 2 : 1]);
	return CLI_FAILED;
}
