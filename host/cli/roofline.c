/* `omnitile bench roofline`. */
#include "cli/cli.h"

int cli_roofline(int argc, char **argv);

static void print_roofline(const json_t *roofline)
{
	const char *type;
	size_t i;
	json_t *peak, *set;
	const double bandwidth = cli_number(roofline, "gbytes_per_s");
	printf("device    %s\nplatform  %s, driver %s\nbackend   %s\n\n",
	       cli_string(roofline, "device"), cli_string(roofline, "platform"),
	       cli_string(roofline, "driver"), cli_string(roofline, "backend"));
	printf("%-8s %10s %14s\n", "type", "GFLOP/s", "ridge, FLOP/B");
	json_object_foreach(json_object_get(roofline, "gflops"), type, peak)
		printf("%-8s %10.1f %14.1f\n", type, json_number_value(peak),
	               json_number_value(peak) / bandwidth);
	printf("\n%-8s %10s %14s\n", "set, MB", "read GB/s", "copy GB/s");
	json_array_foreach(json_object_get(roofline, "sets"), i, set)
		printf("%-8.1f %10.1f %14.1f\n", 1e-6 * cli_number(set, "bytes"),
	               cli_number(set, "gbytes_per_s"), cli_number(set, "gbytes_per_s_copy"));
	if (cli_number(roofline, "tries") > 0)
		printf("best of %.0f tries; ridge: FLOPs a byte from which on memory is not the "
		       "limit\n",
		       cli_number(roofline, "tries"));
	else
		printf("nothing was measured: the device's file says so\n");
}

int cli_roofline(int argc, char **argv)
{
	static const char verb[] = "bench roofline";
	omt_roofline_options options = {0};
	const cli_option own[] = {
		{"backend", "NAME", "opencl, openblas, ref, or a chain of them; model", CLI_TEXT,
	         &options.backend, 0, 0, NULL},
		{"device", "D", "0, part of a name (omnitile devices); model: .yaml", CLI_TEXT,
	         &options.device, 0, 0, NULL},
		{"quick", NULL, "in less than a second: two tries, small sets", CLI_FLAG,
	         &options.quick, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, NULL);
	options.progress = cli_progress();
	omt_status status = omt_roofline(&options, &json, &err);
	cli_progress_end();
	if (status != OMT_OK)
		return cli_fail(verb, &err);
	json_t *roofline = json_loads(json, 0, NULL);
	if (cli_json)
		puts(json);
	else
		print_roofline(roofline);
	json_decref(roofline);
	omt_free(json);
	return CLI_OK;
}
