#include "hls/device_model/settings.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { REAL, COUNT, TEXT, FAULT };

#define AT(name) offsetof(omt_model_settings, name)
static const struct setting {
	const char *name;
	int kind;
	size_t at;
	double low, high; /* of REAL */
} settings_list[] = {
	{"clock_mhz", REAL, AT(clock_mhz), 0, 10000},
	{"memory_gbps", REAL, AT(memory_gbps), 1e-3, 1e6},
	{"memory_latency_ns", REAL, AT(memory_latency_ns), 0, 1e9},
	{"link_gbps", REAL, AT(link_gbps), 1e-3, 1e6},
	{"link_latency_us", REAL, AT(link_latency_us), 0, 1e6},
	{"launch_us", REAL, AT(launch_us), 0, 1e6},
	{"pace", REAL, AT(pace), 0, 1e6},
	{"log", TEXT, AT(log), 0, 0},
	{"keep", REAL, AT(keep), 0, 1},
	{"alloc_fail", COUNT, AT(alloc_fail), 0, 0},
	{"alloc_limit", COUNT, AT(alloc_limit), 0, 0},
	{"hang", FAULT, AT(hang), 0, 0},
	{"crash", FAULT, AT(crash), 0, 0},
	{"lost", COUNT, AT(lost), 0, 0},
	{"disconnect", COUNT, AT(disconnect), 0, 0},
	{"die", COUNT, AT(die), 0, 0},
};
enum { SETTINGS = sizeof settings_list / sizeof *settings_list };

void omt_model_settings_init(omt_model_settings *settings)
{
	*settings = (omt_model_settings){
		.memory_gbps = 19.2, /* DDR4-2400, 64 bits */
		.memory_latency_ns = 200,
		.link_gbps = 12, /* PCIe 3.0 x16, as seen by copies */
		.link_latency_us = 10,
		.launch_us = 5,
	};
}

/* A whole number from 1 on; false: it is none. */
static bool count(const char *text, uint64_t *value)
{
	char *rest;
	errno = 0;
	*value = strtoull(text, &rest, 0);
	return isdigit((unsigned char)*text) && !*rest && !errno && *value;
}

static bool fault(const char *text, omt_model_fault *value)
{
	const char *colon = strchr(text, ':');
	size_t bytes = colon ? (size_t)(colon - text) : strlen(text);
	omt_model_fault read = {.launch = 1};
	if (!bytes || bytes >= sizeof read.kernel || (colon && !count(colon + 1, &read.launch)))
		return false;
	memcpy(read.kernel, text, bytes);
	*value = read;
	return true;
}

static bool real(const char *text, double low, double high, double *value)
{
	char *rest;
	double read = strtod(text, &rest);
	if (rest == text || *rest || !isfinite(read) || read < low || read > high)
		return false;
	*value = read;
	return true;
}

omt_status omt_model_settings_set(omt_model_settings *settings, const char *place, const char *name,
                                  const char *value, omt_error *err)
{
	static const char *const wanted[] = {
		[COUNT] = "a whole number from 1 on",
		[TEXT] = "a text of less than 1024 bytes",
		[FAULT] = "KERNEL or KERNEL:LAUNCH",
	};
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct setting *setting = &settings_list[i];
		void *at = (char *)settings + setting->at;
		bool good = false;
		if (strcmp(setting->name, name))
			continue;
		if (setting->kind == REAL)
			good = real(value, setting->low, setting->high, at);
		else if (setting->kind == COUNT)
			good = count(value, at);
		else if (setting->kind == FAULT)
			good = fault(value, at);
		else if (strlen(value) < OMT_SETTING_TEXT) {
			strcpy(at, value);
			good = true;
		}
		if (good)
			return OMT_OK;
		if (setting->kind == REAL)
			return OMT_FAIL(err, BAD_ARGUMENT,
			                "%s: %s = %s is not a number from %g to %g", place, name,
			                value, setting->low, setting->high);
		return OMT_FAIL(err, BAD_ARGUMENT, "%s: %s = %s is not %s", place, name, value,
		                wanted[setting->kind]);
	}
	return OMT_FAIL(err, BAD_ARGUMENT, "%s: no setting is called %s", place, name);
}

/* Without the blanks around it. */
static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	size_t bytes = strlen(text);
	while (bytes && isspace((unsigned char)text[bytes - 1]))
		text[--bytes] = 0;
	return text;
}

omt_status omt_model_settings_parse(omt_model_settings *settings, const char *place,
                                    const char *text, omt_error *err)
{
	char line[OMT_SETTING_TEXT + 128], at[OMT_SETTING_TEXT];
	for (int number = 1; *text; number++) {
		size_t bytes = strcspn(text, "\n");
		if (bytes >= sizeof line)
			return OMT_FAIL(err, BAD_FORMAT, "%s:%d: the line is too long", place,
			                number);
		memcpy(line, text, bytes);
		line[bytes] = 0;
		line[strcspn(line, "#")] = 0;
		text += bytes + (text[bytes] == '\n');
		char *name = trim(line), *equals = strchr(name, '=');
		if (!*name)
			continue;
		if (!equals)
			return OMT_FAIL(err, BAD_FORMAT, "%s:%d: not `name = value`", place,
			                number);
		*equals = 0;
		snprintf(at, sizeof at, "%s:%d", place, number);
		OMT_TRY(omt_model_settings_set(settings, at, trim(name), trim(equals + 1), err));
	}
	return OMT_OK;
}

omt_status omt_model_settings_load(omt_model_settings *settings, omt_error *err)
{
	char *path = omt_path_join(getenv("EMCONFIG_PATH"), "model.ini"), *text = NULL;
	omt_status status = path ? OMT_OK : OMT_FAIL(err, NO_MEMORY, "no memory for a path");
	omt_model_settings_init(settings);
	if (!status && omt_file_exists(path))
		status = omt_file_read(path, 1 << 20, &text, NULL, err);
	if (!status && text)
		status = omt_model_settings_parse(settings, path, text, err);
	free(text);
	free(path);
	for (size_t i = 0; !status && i < SETTINGS; i++) {
		char variable[64] = "OMT_MODEL_";
		for (size_t k = 0; settings_list[i].name[k]; k++)
			variable[10 + k] = (char)toupper((unsigned char)settings_list[i].name[k]);
		const char *value = getenv(variable);
		if (value && *value)
			status = omt_model_settings_set(settings, variable, settings_list[i].name,
			                                value, err);
	}
	return status;
}
