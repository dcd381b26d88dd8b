#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

bool cli_quiet, cli_json;

static const cli_option common[] = {
	{"json", NULL, "print JSON", CLI_FLAG, &cli_json, 0, 0, NULL},
	{"quiet", NULL, "no progress, no remarks", CLI_FLAG, &cli_quiet, 0, 0, NULL},
	{0},
};

/* ---- messages ------------------------------------------------------------------------------ */

int cli_fail(const char *verb, const omt_error *err)
{
	cli_progress_end();
	fprintf(stderr, "omnitile %s: %s\n", verb, err->text);
	return CLI_FAILED;
}

int cli_usage(const char *verb, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "omnitile %s: ", verb);
	vfprintf(stderr, format, args);
	fprintf(stderr, " (omnitile %s --help)\n", verb);
	va_end(args);
	return CLI_FAILED;
}

double cli_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const char *cli_string(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	return value ? value : "";
}

void cli_check_line(void *user, bool passed, const char *text)
{
	(void)user;
	if (cli_json) {
		json_t *object = json_pack("{sb ss}", "passed", passed, "check", text);
		json_dumpf(object, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(object);
	} else if (!passed || !cli_quiet) {
		printf("%s %s\n", passed ? "ok  " : "FAIL", text);
	}
}

static bool progress_open;

static void report(void *user, const char *what, uint64_t done, uint64_t total)
{
	static uint64_t last = UINT64_MAX;
	uint64_t shown = total ? 1000 * done / total : done;
	(void)user;
	if (shown == last)
		return;
	last = shown;
	if (total)
		fprintf(stderr, "\r%s %5.1f %%  ", what, (double)shown / 10);
	else
		fprintf(stderr, "\r%s %llu  ", what, (unsigned long long)done);
	progress_open = true;
}

static void note(void *user, const char *text)
{
	(void)user;
	cli_progress_end();
	fprintf(stderr, "omnitile: %s\n", text);
}

omt_progress cli_progress(void)
{
	return (omt_progress){cli_quiet || !isatty(STDERR_FILENO) ? NULL : report, NULL,
	                      cli_quiet ? NULL : note};
}

void cli_progress_line(const char *verb, const char *format, ...)
{
	va_list args;
	if (cli_quiet)
		return;
	bool terminal = isatty(STDERR_FILENO);
	if (terminal)
		fputc('\r', stderr);
	else
		fprintf(stderr, "omnitile %s: ", verb);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs(terminal ? "  " : "\n", stderr);
	progress_open = terminal;
}

void cli_progress_end(void)
{
	if (progress_open)
		fputc('\n', stderr);
	progress_open = false;
}

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

void cli_catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool cli_stopped(void)
{
	return stopped;
}

/* ---- options ------------------------------------------------------------------------------- */

static void print_help(FILE *to, const char *verb, const cli_option *const *tables)
{
	for (const cli_verb *v = cli_verbs; v->name; v++)
		if (!strcmp(v->name, verb))
			fprintf(to, "usage: omnitile %s %s\n%s\n\n", verb, v->usage, v->summary);
	for (; tables && *tables; tables++)
		for (const cli_option *o = *tables; o->name; o++) {
			char left[64];
			snprintf(left, sizeof left, "--%s%s%s", o->name, o->metavar ? " " : "",
			         o->metavar ? o->metavar : "");
			fprintf(to, "  %-26s %s\n", left, o->help);
		}
	for (const cli_option *o = common; o->name; o++)
		fprintf(to, "  --%-24s %s\n", o->name, o->help);
	fprintf(to, "  --%-24s %s\n", "help", "print this");
}

static void bad_value(const char *verb, const cli_option *option, const char *text)
{
	if (option->type == CLI_WORD) {
		fprintf(stderr, "omnitile %s: --%s \"%s\", expected one of", verb, option->name,
		        text);
		for (const char *const *word = option->words; *word; word++)
			fprintf(stderr, " %s", *word);
		fputc('\n', stderr);
	} else {
		fprintf(stderr, "omnitile %s: --%s \"%s\", expected a number of %.12g to %.12g\n",
		        verb, option->name, text, option->low, option->high);
	}
	exit(CLI_FAILED);
}

static void set_value(const char *verb, const cli_option *option, const char *text)
{
	char *end = NULL;
	errno = 0;
	switch (option->type) {
	case CLI_FLAG:
		*(bool *)option->value = true;
		return;
	case CLI_TEXT:
		*(const char **)option->value = text;
		return;
	case CLI_TEXTS: {
		cli_texts *texts = option->value;
		texts->text = realloc(texts->text, (texts->count + 1) * sizeof *texts->text);
		if (!texts->text)
			abort();
		texts->text[texts->count++] = text;
		return;
	}
	case CLI_WORD:
		for (int i = 0; option->words[i]; i++)
			if (!strcmp(option->words[i], text)) {
				*(int *)option->value = i;
				return;
			}
		bad_value(verb, option, text);
		return;
	case CLI_INT: {
		long long number = strtoll(text, &end, 10);
		if (end == text || *end || errno || (double)number < option->low ||
		    (double)number > option->high)
			bad_value(verb, option, text);
		*(int64_t *)option->value = number;
		return;
	}
	case CLI_REAL: {
		double number = strtod(text, &end);
		if (end == text || *end || !(number >= option->low && number <= option->high))
			bad_value(verb, option, text);
		*(double *)option->value = number;
		return;
	}
	}
}

static const cli_option *find(const cli_option *const *tables, const char *name, size_t length)
{
	for (; *tables; tables++)
		for (const cli_option *o = *tables; o->name; o++)
			if (strlen(o->name) == length && !strncmp(o->name, name, length))
				return o;
	return NULL;
}

void cli_parse(const char *verb, int argc, char **argv, const cli_option *const *tables,
               cli_texts *rest)
{
	static const cli_option *const commons[] = {common, NULL};
	const cli_option positional = {.type = CLI_TEXTS, .value = rest};
	bool options_end = false;
	for (int i = 1; i < argc; i++) {
		const char *arg = strcmp(argv[i], "-o") || options_end ? argv[i] : "--output";
		if (options_end || strncmp(arg, "--", 2)) {
			if (!options_end && arg[0] == '-' && arg[1])
				exit(cli_usage(verb, "unknown option %s", arg));
			if (!rest)
				exit(cli_usage(verb, "unexpected %s", arg));
			set_value(verb, &positional, arg);
			continue;
		}
		size_t length = strcspn(arg + 2, "=");
		if (!length) {
			options_end = true;
			continue;
		}
		if (!strcmp(arg, "--help")) {
			print_help(stdout, verb, tables);
			exit(CLI_OK);
		}
		const cli_option *option = find(tables, arg + 2, length);
		option = option ? option : find(commons, arg + 2, length);
		const char *value = arg[2 + length] ? arg + 3 + length : NULL;
		if (!option || (value && option->type == CLI_FLAG))
			exit(cli_usage(verb, "unknown option %s", arg));
		if (!value && option->type != CLI_FLAG) {
			if (++i == argc)
				exit(cli_usage(verb, "--%s needs a value", option->name));
			value = argv[i];
		}
		set_value(verb, option, value);
	}
}
