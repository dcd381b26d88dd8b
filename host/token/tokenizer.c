#include "token/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "token/bpe.h"
#include "token/pretokenize.h"

#define MAX_FILE ((size_t)256 << 20)

typedef struct omt_added {
	char *text;
	size_t bytes;
	int32_t id;
	bool normalized; /* looked for in the normalised text, not in the original */
} omt_added;

struct omt_tokenizer {
	json_t *root; /* keeps the strings of added tokens */
	omt_bpe *bpe;
	omt_splitter *splitter;
	omt_added *added; /* longest first */
	size_t added_count;
	bool starts[256]; /* an added token begins with this byte */
	bool nfc;
	int32_t size;
};

/* ---- open ---------------------------------------------------------------------------------- */

static omt_status read_normalizer(omt_tokenizer *tokenizer, omt_json in, omt_error *err)
{
	omt_json normalizer = {.place = in.place};
	const char *type = "";
	OMT_TRY(omt_json_member(in, "normalizer", &normalizer, err));
	if (!normalizer.object)
		return OMT_OK;
	OMT_TRY(omt_json_string(normalizer, "type", &type, err));
	if (strcmp(type, "NFC"))
		return OMT_FAIL(err, UNSUPPORTED, "%s: normalizer \"%s\", expected \"NFC\"",
		                in.place, type);
	tokenizer->nfc = true;
	return OMT_OK;
}

static int by_length(const void *a, const void *b)
{
	const omt_added *x = a, *y = b;
	return x->bytes != y->bytes ? (x->bytes < y->bytes ? 1 : -1) : strcmp(x->text, y->text);
}

static omt_status read_added_token(omt_tokenizer *tokenizer, omt_json in, omt_error *err)
{
	static const char *const off[] = {"single_word", "lstrip", "rstrip"};
	omt_added *added = &tokenizer->added[tokenizer->added_count];
	const char *text = NULL;
	bool flag;
	added->id = -1;
	added->normalized = true;
	OMT_TRY(omt_json_string(in, "content", &text, err));
	OMT_TRY(omt_json_int(in, "id", 0, 1 << 24, &added->id, err));
	OMT_TRY(omt_json_bool(in, "normalized", &added->normalized, err));
	if (!text || !*text || added->id < 0)
		return OMT_FAIL(err, BAD_FORMAT, "%s: added_tokens[%zu] lacks content or id",
		                in.place, tokenizer->added_count);
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		flag = false;
		OMT_TRY(omt_json_bool(in, off[i], &flag, err));
		if (flag)
			return OMT_FAIL(err, UNSUPPORTED, "%s: added token \"%.40s\" has %s set",
			                in.place, text, off[i]);
	}
	added->text = (char *)(uintptr_t)text;
	added->bytes = strlen(text);
	tokenizer->starts[(uint8_t)text[0]] = true;
	if (added->id >= tokenizer->size)
		tokenizer->size = added->id + 1;
	tokenizer->added_count++;
	return OMT_OK;
}

static omt_status read_added(omt_tokenizer *tokenizer, omt_json in, omt_error *err)
{
	const json_t *tokens = json_object_get(in.object, "added_tokens");
	size_t index;
	json_t *token;
	tokenizer->added = calloc(json_array_size(tokens) + 1, sizeof *tokenizer->added);
	if (!tokenizer->added)
		return OMT_FAIL(err, NO_MEMORY, "%s: added_tokens", in.place);
	json_array_foreach(tokens, index, token)
		OMT_TRY(read_added_token(tokenizer, (omt_json){in.place, token}, err));
	qsort(tokenizer->added, tokenizer->added_count, sizeof *tokenizer->added, by_length);
	return OMT_OK;
}

omt_status omt_tokenizer_open(const char *path, omt_tokenizer **given, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_json model = {.place = path}, pre = {.place = path};
	*given = NULL;
	omt_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
	if (!tokenizer)
		return OMT_FAIL(err, NO_MEMORY, "%s", path);
	OMT_GOTO(omt_json_load(path, MAX_FILE, &tokenizer->root, err));
	omt_json in = {path, tokenizer->root};
	if (!json_is_object(in.object)) {
		status = OMT_FAIL(err, BAD_FORMAT, "%s: not an object", path);
		goto done;
	}
	OMT_GOTO(omt_json_member(in, "model", &model, err));
	OMT_GOTO(omt_json_member(in, "pre_tokenizer", &pre, err));
	if (!model.object || !pre.object) {
		status = OMT_FAIL(err, UNSUPPORTED, "%s: no %s", path,
		                  model.object ? "pre_tokenizer" : "model");
		goto done;
	}
	OMT_GOTO(read_normalizer(tokenizer, in, err));
	OMT_GOTO(omt_splitter_open(pre, &tokenizer->splitter, err));
	OMT_GOTO(omt_bpe_open(model, &tokenizer->bpe, err));
	tokenizer->size = omt_bpe_size(tokenizer->bpe);
	OMT_GOTO(read_added(tokenizer, in, err));
	/* The vocabulary is in its own tables now; the tree keeps the added tokens' texts. */
	json_object_del(tokenizer->root, "model");
	*given = tokenizer;
	tokenizer = NULL;
done:
	omt_tokenizer_close(tokenizer);
	return status;
}

void omt_tokenizer_close(omt_tokenizer *tokenizer)
{
	if (!tokenizer)
		return;
	omt_bpe_close(tokenizer->bpe);
	omt_splitter_close(tokenizer->splitter);
	free(tokenizer->added);
	json_decref(tokenizer->root);
	free(tokenizer);
}

int32_t omt_tokenizer_token(const omt_tokenizer *tokenizer, const char *token)
{
	for (size_t i = 0; i < tokenizer->added_count; i++)
		if (!strcmp(tokenizer->added[i].text, token))
			return tokenizer->added[i].id;
	return omt_bpe_find(tokenizer->bpe, (const uint8_t *)token, strlen(token));
}

int32_t omt_tokenizer_size(const omt_tokenizer *tokenizer)
{
	return tokenizer->size;
}

/* ---- encode -------------------------------------------------------------------------------- */

typedef struct omt_encoding {
	const omt_tokenizer *tokenizer;
	omt_ids *ids;
} omt_encoding;

static omt_status encode_piece(void *user, const char *start, size_t bytes, omt_error *err)
{
	const omt_encoding *run = user;
	return omt_bpe_encode(run->tokenizer->bpe, (const uint8_t *)start, bytes, run->ids, err);
}

/* The longest added token at `text`, NULL if there is none. */
static const omt_added *added_at(const omt_tokenizer *tokenizer, const char *text, size_t bytes,
                                 bool normalized)
{
	if (!tokenizer->starts[(uint8_t)*text])
		return NULL;
	for (size_t i = 0; i < tokenizer->added_count; i++) {
		const omt_added *added = &tokenizer->added[i];
		if (added->normalized == normalized && added->bytes <= bytes &&
		    !memcmp(added->text, text, added->bytes))
			return added;
	}
	return NULL;
}

typedef omt_status omt_between(omt_encoding *run, const char *text, size_t bytes, omt_error *err);

/* Appends added tokens, hands what lies between them on. */
static omt_status split_added(omt_encoding *run, const char *text, size_t bytes, bool normalized,
                              omt_between *between, omt_error *err)
{
	size_t begin = 0;
	for (size_t at = 0; at < bytes;) {
		const omt_added *added =
			added_at(run->tokenizer, text + at, bytes - at, normalized);
		if (!added) {
			at++;
			continue;
		}
		if (at > begin)
			OMT_TRY(between(run, text + begin, at - begin, err));
		OMT_TRY(omt_ids_append(run->ids, added->id, err));
		at += added->bytes;
		begin = at;
	}
	return bytes > begin ? between(run, text + begin, bytes - begin, err) : OMT_OK;
}

static omt_status encode_words(omt_encoding *run, const char *text, size_t bytes, omt_error *err)
{
	return omt_splitter_run(run->tokenizer->splitter, text, bytes, encode_piece, run, err);
}

static omt_status encode_normalized(omt_encoding *run, const char *text, size_t bytes,
                                    omt_error *err)
{
	utf8proc_uint8_t *composed = NULL;
	size_t ascii = 0;
	while (ascii < bytes && (uint8_t)text[ascii] < 0x80)
		ascii++;
	if (!run->tokenizer->nfc || ascii == bytes)
		return split_added(run, text, bytes, true, encode_words, err);
	utf8proc_ssize_t length =
		utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)bytes, &composed,
	                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (length < 0)
		return OMT_FAIL(err, BAD_FORMAT, "text: %s", utf8proc_errmsg(length));
	omt_status status =
		split_added(run, (const char *)composed, (size_t)length, true, encode_words, err);
	free(composed);
	return status;
}

/* A copy with every maximal broken part of a sequence replaced by U+FFFD; free(). */
static char *replace_broken(const char *text, size_t bytes, size_t *length)
{
	char *out = malloc(3 * bytes + 1), *to = out;
	for (size_t at = 0; out && at < bytes;) {
		utf8proc_int32_t code;
		utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
		                                         (utf8proc_ssize_t)(bytes - at), &code);
		if (step > 0) {
			memcpy(to, text + at, (size_t)step);
			to += step;
			at += (size_t)step;
			continue;
		}
		memcpy(to, "\xef\xbf\xbd", 3);
		to += 3;
		at++;
	}
	*length = out ? (size_t)(to - out) : 0;
	return out;
}

static bool is_utf8(const char *text, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		utf8proc_int32_t code;
		utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)text + at,
		                                         (utf8proc_ssize_t)(bytes - at), &code);
		if (step <= 0)
			return false;
		at += (size_t)step;
	}
	return true;
}

omt_status omt_tokenizer_encode(const omt_tokenizer *tokenizer, const char *text, size_t bytes,
                                omt_ids *ids, omt_error *err)
{
	omt_encoding run = {tokenizer, ids};
	if (is_utf8(text, bytes))
		return split_added(&run, text, bytes, false, encode_normalized, err);
	size_t length;
	char *whole = replace_broken(text, bytes, &length);
	if (!whole)
		return OMT_FAIL(err, NO_MEMORY, "a text of %zu bytes", bytes);
	omt_status status = split_added(&run, whole, length, false, encode_normalized, err);
	free(whole);
	return status;
}
