#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[OMT_STATUS_COUNT] = {
#define NAME(name, text) #name,
	OMT_STATUS_LIST(NAME)
#undef NAME
};

static const char *const texts[OMT_STATUS_COUNT] = {
#define TEXT(name, text) text,
	OMT_STATUS_LIST(TEXT)
#undef TEXT
};

const char *omt_status_name(omt_status status)
{
	return (unsigned)status < OMT_STATUS_COUNT ? names[status] : "UNKNOWN";
}

const char *omt_status_text(omt_status status)
{
	return (unsigned)status < OMT_STATUS_COUNT ? texts[status] : "unknown status";
}

const char *omt_version(void)
{
	return OMT_VERSION;
}

void omt_free(void *given)
{
	free(given);
}

/* Names of files may hold anything; an error is one line whatever they hold. */
static void make_one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = ' ';
}

omt_status omt_fail(omt_error *err, omt_status status, const char *format, ...)
{
	if (err) {
		va_list args;
		va_start(args, format);
		err->status = status;
		vsnprintf(err->text, sizeof err->text, format, args);
		va_end(args);
		make_one_line(err->text);
	}
	return status;
}

omt_status omt_fail_at(omt_error *err, omt_status status, const char *format, ...)
{
	if (err) {
		char place[sizeof err->text], whole[2 * sizeof err->text + 4];
		va_list args;
		va_start(args, format);
		vsnprintf(place, sizeof place, format, args);
		va_end(args);
		snprintf(whole, sizeof whole, "%s: %s", place, err->text);
		err->status = status;
		memcpy(err->text, whole, sizeof err->text - 1);
		err->text[sizeof err->text - 1] = '\0';
		make_one_line(err->text);
	}
	return status;
}

void omt_note(const omt_progress *progress, const char *format, ...)
{
	char text[2 * sizeof((omt_error *)0)->text];
	va_list args;
	if (!progress || !progress->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	make_one_line(text);
	progress->note(progress->user, text);
}
