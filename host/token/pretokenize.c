#include "token/pretokenize.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct omt_splitter {
	pcre2_code *code;
};

/* White_Space of Unicode, which \s means to the tokenizers library. PCRE2's \s has U+180E too. */
#define SPACES                                                                          \
	"\\t-\\r \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
	"\\x{205f}\\x{3000}"

/* The expression with every \s and \S spelled out. Given, free(). */
static char *spell_spaces(const char *regex)
{
	char *out = malloc(strlen(regex) * (sizeof SPACES + 4) + 1), *to = out;
	bool in_class = false;
	if (!out)
		return NULL;
	for (const char *at = regex; *at; at++) {
		if (*at != '\\' || !at[1]) {
			in_class = *at == '[' || (in_class && *at != ']');
			*to++ = *at;
			continue;
		}
		at++;
		if (*at == 's')
			to += sprintf(to, in_class ? "%s" : "[%s]", SPACES);
		else if (*at == 'S' && !in_class)
			to += sprintf(to, "[^%s]", SPACES);
		else
			to += sprintf(to, "\\%c", *at);
	}
	*to = '\0';
	return out;
}

static omt_status compile(omt_splitter *splitter, const char *place, const char *regex,
                          omt_error *err)
{
	int code;
	PCRE2_SIZE offset;
	PCRE2_UCHAR reason[128];
	char *spelled = spell_spaces(regex);
	if (!spelled)
		return OMT_FAIL(err, NO_MEMORY, "%s", place);
	splitter->code = pcre2_compile((PCRE2_SPTR)spelled, PCRE2_ZERO_TERMINATED,
	                               PCRE2_UTF | PCRE2_UCP, &code, &offset, NULL);
	free(spelled);
	if (!splitter->code) {
		pcre2_get_error_message(code, reason, sizeof reason);
		return OMT_FAIL(err, BAD_FORMAT, "%s: pre_tokenizer's expression: %s at %zu", place,
		                (const char *)reason, (size_t)offset);
	}
	/* Without a just-in-time compiler it is only slower. */
	(void)pcre2_jit_compile(splitter->code, PCRE2_JIT_COMPLETE);
	return OMT_OK;
}

static omt_status read_split(omt_splitter *splitter, omt_json split, omt_error *err)
{
	const char *behavior = "", *regex = NULL;
	bool invert = false;
	omt_json pattern = {.place = split.place};
	OMT_TRY(omt_json_string(split, "behavior", &behavior, err));
	OMT_TRY(omt_json_bool(split, "invert", &invert, err));
	OMT_TRY(omt_json_member(split, "pattern", &pattern, err));
	if (pattern.object)
		OMT_TRY(omt_json_string(pattern, "Regex", &regex, err));
	if (strcmp(behavior, "Isolated") || invert || !regex || splitter->code)
		return OMT_FAIL(err, UNSUPPORTED,
		                "%s: pre_tokenizer Split other than one Regex, Isolated, not "
		                "inverted",
		                split.place);
	return compile(splitter, split.place, regex, err);
}

static omt_status read_step(omt_splitter *splitter, omt_json step, bool *byte_level, omt_error *err)
{
	const char *type = "";
	OMT_TRY(omt_json_string(step, "type", &type, err));
	if (!strcmp(type, "Split"))
		return read_split(splitter, step, err);
	if (!strcmp(type, "ByteLevel")) {
		bool prefix_space = true, use_regex = true; /* the library's defaults */
		OMT_TRY(omt_json_bool(step, "add_prefix_space", &prefix_space, err));
		OMT_TRY(omt_json_bool(step, "use_regex", &use_regex, err));
		if (!prefix_space && !use_regex) {
			*byte_level = true;
			return OMT_OK;
		}
	}
	return OMT_FAIL(err, UNSUPPORTED,
	                "%s: pre_tokenizer \"%s\", expected Split and ByteLevel without an "
	                "expression and a prefix space",
	                step.place, type);
}

omt_status omt_splitter_open(omt_json in, omt_splitter **given, omt_error *err)
{
	omt_status status = OMT_OK;
	const char *type = "";
	bool byte_level = false;
	size_t index;
	json_t *step;
	omt_splitter *splitter = calloc(1, sizeof *splitter);
	*given = NULL;
	if (!splitter)
		return OMT_FAIL(err, NO_MEMORY, "%s", in.place);
	OMT_GOTO(omt_json_string(in, "type", &type, err));
	if (strcmp(type, "Sequence")) {
		OMT_GOTO(read_step(splitter, in, &byte_level, err));
	} else {
		json_array_foreach(json_object_get(in.object, "pretokenizers"), index, step)
			OMT_GOTO(read_step(splitter, (omt_json){in.place, step}, &byte_level, err));
	}
	if (!splitter->code || !byte_level) {
		status = OMT_FAIL(err, UNSUPPORTED,
		                  "%s: pre_tokenizer needs one Split and one ByteLevel step",
		                  in.place);
		goto done;
	}
	*given = splitter;
	splitter = NULL;
done:
	omt_splitter_close(splitter);
	return status;
}

void omt_splitter_close(omt_splitter *splitter)
{
	if (splitter)
		pcre2_code_free(splitter->code);
	free(splitter);
}

/* One match from `at` on; the text is known to be valid UTF-8. A word too long for the just-in-time
 * compiler's stack is tried again by the interpreter. */
static int match(const pcre2_code *code, const char *text, size_t bytes, size_t at,
                 pcre2_match_data *data)
{
	int got = pcre2_match(code, (PCRE2_SPTR)text, bytes, at, PCRE2_NO_UTF_CHECK, data, NULL);
	if (got == PCRE2_ERROR_JIT_STACKLIMIT)
		got = pcre2_match(code, (PCRE2_SPTR)text, bytes, at,
		                  PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
	return got;
}

omt_status omt_splitter_run(const omt_splitter *splitter, const char *text, size_t bytes,
                            omt_piece *piece, void *user, omt_error *err)
{
	omt_status status = OMT_OK;
	pcre2_match_data *data = pcre2_match_data_create_from_pattern(splitter->code, NULL);
	if (!data)
		return OMT_FAIL(err, NO_MEMORY, "the pre-tokenizer's match data");
	for (size_t at = 0, search = 0; at < bytes;) {
		int got = match(splitter->code, text, bytes, search, data);
		const PCRE2_SIZE *span = pcre2_get_ovector_pointer(data);
		size_t begin = bytes, end = bytes;
		if (got > 0) {
			begin = span[0];
			end = span[1];
		} else if (got != PCRE2_ERROR_NOMATCH) {
			status = OMT_FAIL(err, LIMIT,
			                  "the pre-tokenizer gave up on the text (PCRE2 "
			                  "error %d)",
			                  got);
			goto done;
		}
		if (end == begin && begin < bytes) { /* an empty match: go on behind it */
			search = begin + 1;
			while (search < bytes && ((uint8_t)text[search] & 0xc0) == 0x80)
				search++;
			continue;
		}
		if (begin > at)
			OMT_GOTO(piece(user, text + at, begin - at, err));
		if (end > begin)
			OMT_GOTO(piece(user, text + begin, end - begin, err));
		at = search = end;
	}
done:
	pcre2_match_data_free(data);
	return status;
}
