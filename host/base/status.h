/* status.h - how omnitile's functions report failure.
 *
 * A function that can fail returns omt_status and takes `omt_error *err` last (may be NULL).
 *   OMT_FAIL(err, BAD_FORMAT, "%s: header is %zu bytes, the file has %zu", path, a, b);
 *   OMT_TRY(step(..., err));        returns a failed step's status; only where nothing is owned
 *   OMT_GOTO(step(..., err));       the same with `status = ...; goto done` for functions that
 *                                   own something and have one cleanup label
 */
#ifndef OMT_BASE_STATUS_H
#define OMT_BASE_STATUS_H

#include "omnitile.h"

#if defined(__GNUC__)
#define OMT_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define OMT_PRINTF(at, first)
#endif

/* Fills *err (if any) with one line: control characters become spaces. Returns `status`. */
omt_status omt_fail(omt_error *err, omt_status status, const char *format, ...) OMT_PRINTF(3, 4);

/* Puts "prefix: " before the text of a failed *err; for callers that know the place. Returns the
 * error's status (or `status` if err is NULL). */
omt_status omt_fail_at(omt_error *err, omt_status status, const char *format, ...) OMT_PRINTF(3, 4);

/* Tells a remark to whoever listens to `progress` (may be NULL): one line, as omt_fail() makes it.
 */
void omt_note(const omt_progress *progress, const char *format, ...) OMT_PRINTF(2, 3);

#define OMT_FAIL(err, name, ...) omt_fail((err), OMT_##name, __VA_ARGS__)

#define OMT_TRY(call)                     \
	do {                              \
		omt_status try_ = (call); \
		if (try_ != OMT_OK)       \
			return try_;      \
	} while (0)

#define OMT_GOTO(call)                \
	do {                          \
		status = (call);      \
		if (status != OMT_OK) \
			goto done;    \
	} while (0)

#endif
