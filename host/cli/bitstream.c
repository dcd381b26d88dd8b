/* `omnitile bitstream build | pack | digest | info | verify`. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_bitstream_build(int argc, char **argv);
int cli_bitstream_pack(int argc, char **argv);
int cli_bitstream_digest(int argc, char **argv);
int cli_bitstream_info(int argc, char **argv);
int cli_bitstream_verify(int argc, char **argv);

int cli_bitstream(int argc, char **argv);

int cli_bitstream(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} actions[] = {
		{"build", cli_bitstream_build},   {"pack", cli_bitstream_pack},
		{"digest", cli_bitstream_digest}, {"info", cli_bitstream_info},
		{"verify", cli_bitstream_verify},
	};
	static const cli_option *const none[] = {NULL};
	for (size_t i = 0; argc > 1 && i < sizeof actions / sizeof *actions; i++)
		if (!strcmp(argv[1], actions[i].name))
			return actions[i].run(argc - 1, argv + 1);
	cli_parse("bitstream", argc, argv, none, NULL);
	return cli_usage("bitstream", "expected build, pack, digest, info or verify");
}

int cli_bitstream_build(int argc, char **argv)
{
	static const char verb[] = "bitstream build";
	const char *manifest = "bitstreams/manifest.yaml", *name = NULL, *sources = "hls";
	const char *recipe = NULL;
	const cli_option own[] = {
		{"manifest", "FILE", "bitstreams/manifest.yaml; gets the digest", CLI_TEXT,
	         &manifest, 0, 0, NULL},
		{"name", "NAME", "the manifest's entry", CLI_TEXT, &name, 0, 0, NULL},
		{"sources", "DIR", "of the kernels (default hls)", CLI_TEXT, &sources, 0, 0, NULL},
		{"recipe", "DIR", "what v++ or aoc take, and build.sh, which calls them", CLI_TEXT,
	         &recipe, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!name)
		return cli_usage(verb, "expected --name NAME");
	if (omt_bitstream_build(manifest, name, sources, recipe, &err) != OMT_OK)
		return cli_fail(verb, &err);
	return CLI_OK;
}

int cli_bitstream_pack(int argc, char **argv)
{
	static const char verb[] = "bitstream pack";
	omt_bitstream_pack_options options = {.manifest = "bitstreams/manifest.yaml"};
	const cli_option own[] = {
		{"manifest", "FILE", "bitstreams/manifest.yaml; gets the digest", CLI_TEXT,
	         &options.manifest, 0, 0, NULL},
		{"name", "NAME", "the manifest's entry", CLI_TEXT, &options.name, 0, 0, NULL},
		{"binary", "FILE", "shared object of the kernels", CLI_TEXT, &options.binary, 0, 0,
	         NULL},
		{"output", "FILE", "the xclbin", CLI_TEXT, &options.output, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!options.name || !options.binary || !options.output)
		return cli_usage(verb, "expected --name NAME, --binary FILE and --output FILE");
	if (omt_bitstream_pack(&options, &err) != OMT_OK)
		return cli_fail(verb, &err);
	return CLI_OK;
}

int cli_bitstream_digest(int argc, char **argv)
{
	static const char verb[] = "bitstream digest";
	const char *manifest = "bitstreams/manifest.yaml", *name = NULL;
	const cli_option own[] = {
		{"manifest", "FILE", "bitstreams/manifest.yaml; gets the digest", CLI_TEXT,
	         &manifest, 0, 0, NULL},
		{"name", "NAME", "the manifest's entry", CLI_TEXT, &name, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	omt_error err;
	cli_parse(verb, argc, argv, tables, NULL);
	if (!name)
		return cli_usage(verb, "expected --name NAME");
	if (omt_bitstream_digest(manifest, name, &err) != OMT_OK)
		return cli_fail(verb, &err);
	return CLI_OK;
}

/* ---- info ---- */

/* A number or a text as a hexadecimal number; texts stay as they are. */
static const char *hex(const json_t *object, const char *key, char text[32])
{
	const json_t *value = json_object_get(object, key);
	if (json_is_string(value))
		return json_string_value(value);
	snprintf(text, 32, "0x%llx", (unsigned long long)json_integer_value(value));
	return text;
}

/* A text, or the number that stands where there is no name for it. */
static const char *word(const json_t *object, const char *key, char text[32])
{
	const json_t *value = json_object_get(object, key);
	if (json_is_string(value))
		return json_string_value(value);
	snprintf(text, 32, "%lld", (long long)json_integer_value(value));
	return text;
}

static void print_kernel(const json_t *kernel)
{
	static const char *const qualifiers[] = {"scalar", "buffer", "constant", "local", "stream"};
	const json_t *args = json_object_get(kernel, "args");
	json_t *object;
	size_t i;
	char a[32], b[32];
	printf("\nkernel %s\n", cli_string(kernel, "name"));
	printf("  %-4s %-16s %-14s %-8s %8s %6s\n", "id", "argument", "type", "kind", "offset",
	       "bytes");
	json_array_foreach(args, i, object)
	{
		const json_int_t kind =
			json_integer_value(json_object_get(object, "addressQualifier"));
		printf("  %-4s %-16s %-14s %-8s %8s %6.0f\n", word(object, "id", a),
		       cli_string(object, "name"), cli_string(object, "type"),
		       kind >= 0 && kind < 5 ? qualifiers[kind] : "?", hex(object, "offset", b),
		       cli_number(object, "size"));
	}
	json_array_foreach(json_object_get(kernel, "instances"), i, object)
	{
		printf("  unit %s at %s\n", cli_string(object, "name"), hex(object, "base", a));
	}
}

/* The banks that a unit's arguments reach, all together. */
static void print_unit_banks(const json_t *info, json_int_t unit)
{
	const json_t *connections = json_object_get(info, "connections");
	const json_t *banks = json_object_get(info, "banks");
	const char *before = "";
	size_t bank, i;
	json_t *entry, *connection;
	json_array_foreach(banks, bank, entry)
	{
		json_array_foreach(connections, i, connection)
		{
			if (json_integer_value(json_object_get(connection, "unit")) != unit ||
			    json_integer_value(json_object_get(connection, "bank")) !=
			            (json_int_t)bank)
				continue;
			printf("%s%s", before, cli_string(entry, "tag"));
			before = ", ";
			break;
		}
	}
}

static void print_tables(const json_t *info)
{
	json_t *object;
	size_t i;
	char a[32], b[32];
	printf("\n%-24s %-16s %12s %12s\n", "section", "name", "offset", "bytes");
	json_array_foreach(json_object_get(info, "sections"), i, object)
	{
		printf("%-24s %-16s %12.0f %12.0f\n", word(object, "kind", a),
		       cli_string(object, "name"), cli_number(object, "offset"),
		       cli_number(object, "bytes"));
	}
	printf("\n%-4s %-16s %-10s %-5s %12s %16s\n", "bank", "tag", "type", "used", "MiB", "base");
	json_array_foreach(json_object_get(info, "banks"), i, object)
	{
		printf("%-4zu %-16s %-10s %-5s %12.0f %16s\n", i, cli_string(object, "tag"),
		       word(object, "type", a),
		       json_is_true(json_object_get(object, "used")) ? "yes" : "no",
		       cli_number(object, "kbytes") / 1024, hex(object, "base", b));
	}
	printf("\n%-32s %16s  %s\n", "unit", "base", "banks");
	json_array_foreach(json_object_get(info, "units"), i, object)
	{
		printf("%-32s %16s  ", cli_string(object, "name"), hex(object, "base", a));
		print_unit_banks(info, (json_int_t)i);
		putchar('\n');
	}
	putchar('\n');
	json_array_foreach(json_object_get(info, "clocks"), i, object)
	{
		printf("clock %s %.0f MHz\n", cli_string(object, "name"),
		       cli_number(object, "mhz"));
	}
}

static void print_info(const json_t *info)
{
	json_t *object;
	const char *key;
	size_t i;
	char a[32];
	printf("file      %s, %.0f bytes\nmode      %s\nplatform  %s\nuuid      %s\nsha-256   %s\n",
	       cli_string(info, "file"), cli_number(info, "bytes"), word(info, "mode", a),
	       cli_string(info, "platform"), cli_string(info, "uuid"), cli_string(info, "digest"));
	json_object_foreach(json_object_get(info, "values"), key, object)
	{
		printf("value     %s = %s\n", key, json_string_value(object));
	}
	json_array_foreach(json_object_get(info, "errors"), i, object)
	{
		printf("error     %s\n", json_string_value(object));
	}
	print_tables(info);
	json_array_foreach(json_object_get(json_object_get(info, "design"), "kernels"), i, object)
	{
		print_kernel(object);
	}
}

int cli_bitstream_info(int argc, char **argv)
{
	static const char verb[] = "bitstream info";
	const cli_option *tables[] = {NULL};
	cli_texts files = {0};
	omt_error err;
	char *json;
	cli_parse(verb, argc, argv, tables, &files);
	const char *path = files.count == 1 ? files.text[0] : NULL;
	free(files.text);
	if (!path)
		return cli_usage(verb, "expected one FILE");
	if (omt_bitstream_describe(path, &json, &err) != OMT_OK)
		return cli_fail(verb, &err);
	json_t *info = json_loads(json, 0, NULL);
	if (cli_json)
		puts(json);
	else
		print_info(info);
	json_decref(info);
	omt_free(json);
	return CLI_OK;
}

int cli_bitstream_verify(int argc, char **argv)
{
	static const char verb[] = "bitstream verify";
	const char *manifest = NULL;
	const cli_option own[] = {
		{"manifest", "FILE", "its entry of this file is compared (manifest.yaml beside it)",
	         CLI_TEXT, &manifest, 0, 0, NULL},
		{0},
	};
	const cli_option *tables[] = {own, NULL};
	cli_texts files = {0};
	omt_verify_counts counts;
	omt_error err;
	cli_parse(verb, argc, argv, tables, &files);
	const char *path = files.count == 1 ? files.text[0] : NULL;
	free(files.text);
	if (!path)
		return cli_usage(verb, "expected one FILE");
	if (omt_bitstream_verify(path, manifest, cli_check_line, NULL, &counts, &err) != OMT_OK)
		return cli_fail(verb, &err);
	if (!cli_json)
		printf("%llu passed, %llu failed\n", (unsigned long long)counts.passed,
		       (unsigned long long)counts.failed);
	return counts.failed ? CLI_SOME_FAILED : CLI_OK;
}
