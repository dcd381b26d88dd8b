#include "cli/cli.h"

int cli_devices(int argc, char **argv);

static double gigabytes(const json_t *device, const char *key)
{
	return (double)json_integer_value(json_object_get(device, key)) / 1e9;
}

int cli_devices(int argc, char **argv)
{
	static const char verb[] = "devices";
	static const cli_option none[] = {{0}};
	const cli_option *tables[] = {none, NULL};
	char *json;
	omt_error err;
	size_t i;
	json_t *device;
	cli_parse(verb, argc, argv, tables, NULL);
	if (omt_devices(&json, &err) != OMT_OK)
		return cli_fail(verb, &err);
	if (cli_json) {
		puts(json);
		omt_free(json);
		return CLI_OK;
	}
	json_t *devices = json_loads(json, 0, NULL);
	json_array_foreach(devices, i, device)
	{
		printf("%zu  %s  (%s, %s)\n", i, cli_string(device, "name"),
		       cli_string(device, "platform"), cli_string(device, "type"));
		printf("   %s, driver %s\n", cli_string(device, "version"),
		       cli_string(device, "driver"));
		printf("   %d compute units, %.1f GB, %.1f GB an allocation%s%s\n",
		       (int)json_integer_value(json_object_get(device, "compute_units")),
		       gigabytes(device, "memory_bytes"), gigabytes(device, "max_alloc_bytes"),
		       json_is_true(json_object_get(device, "fp16")) ? ", fp16" : "",
		       json_is_true(json_object_get(device, "integer_dot")) ? ", integer dot" : "");
		if (json_object_get(device, "tiles"))
			printf("   tiles of %s\n", cli_string(device, "tiles"));
		if (json_object_get(device, "bitstream"))
			printf("   bitstream %s\n", cli_string(device, "bitstream"));
		if (!json_is_true(json_object_get(device, "usable")))
			printf("   cannot be used: %s\n", cli_string(device, "reason"));
	}
	json_decref(devices);
	omt_free(json);
	return CLI_OK;
}
