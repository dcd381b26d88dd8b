#include "token/bpe.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ID (1 << 24)
#define NONE   UINT32_MAX

typedef struct omt_vocab_entry {
	uint32_t at, bytes; /* in omt_bpe.text */
	int32_t id;         /* -1: free */
} omt_vocab_entry;

typedef struct omt_merge {
	int32_t left, right, merged; /* left -1: free */
	uint32_t rank;
} omt_merge;

struct omt_bpe {
	uint8_t *text; /* all tokens' bytes */
	size_t text_used, text_room;
	omt_vocab_entry *vocab; /* open addressing */
	size_t vocab_mask;
	omt_merge *merges; /* open addressing */
	size_t merge_mask;
	int32_t byte_ids[256];
	int32_t size;
	bool ignore_merges;
};

omt_status omt_ids_append(omt_ids *ids, int32_t id, omt_error *err)
{
	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity ? 2 * ids->capacity : 64;
		int32_t *grown = realloc(ids->data, capacity * sizeof *grown);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%zu token ids", capacity);
		ids->data = grown;
		ids->capacity = capacity;
	}
	ids->data[ids->count++] = id;
	return OMT_OK;
}

/* ---- tables -------------------------------------------------------------------------------- */

static size_t hash_bytes(const uint8_t *data, size_t bytes)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ data[i]) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32);
}

static size_t hash_pair(int32_t left, int32_t right)
{
	uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	pair *= 0x9e3779b97f4a7c15u;
	return (size_t)(pair ^ pair >> 29);
}

static size_t table_size(size_t entries)
{
	size_t size = 16;
	while (size < 2 * entries)
		size *= 2;
	return size;
}

static omt_vocab_entry *vocab_slot(const omt_bpe *bpe, const uint8_t *token, size_t bytes)
{
	size_t at = hash_bytes(token, bytes) & bpe->vocab_mask;
	for (;; at = (at + 1) & bpe->vocab_mask) {
		omt_vocab_entry *entry = &bpe->vocab[at];
		if (entry->id < 0 ||
		    (entry->bytes == bytes && !memcmp(bpe->text + entry->at, token, bytes)))
			return entry;
	}
}

int32_t omt_bpe_find(const omt_bpe *bpe, const uint8_t *token, size_t bytes)
{
	return vocab_slot(bpe, token, bytes)->id;
}

int32_t omt_bpe_size(const omt_bpe *bpe)
{
	return bpe->size;
}

static omt_merge *merge_slot(const omt_bpe *bpe, int32_t left, int32_t right)
{
	size_t at = hash_pair(left, right) & bpe->merge_mask;
	for (;; at = (at + 1) & bpe->merge_mask) {
		omt_merge *merge = &bpe->merges[at];
		if (merge->left < 0 || (merge->left == left && merge->right == right))
			return merge;
	}
}

/* ---- reading ------------------------------------------------------------------------------- */

/* GPT-2's alphabet: printable bytes stand for themselves, the other ones for U+0100 on. Decodes one
 * character of UTF-8 to its byte; returns the character's length, 0: not of the alphabet. */
static size_t alphabet_byte(const char *text, uint8_t *byte)
{
	const uint8_t *t = (const uint8_t *)text;
	uint32_t c = t[0];
	size_t length = 1;
	if (c >= 0xc2 && c < 0xe0 && (t[1] & 0xc0) == 0x80) {
		c = (c & 31) << 6 | (t[1] & 63u);
		length = 2;
	} else if (c >= 0x80) {
		return 0;
	}
	if ((c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff)) {
		*byte = (uint8_t)c;
		return length;
	}
	c -= 256;
	if (c <= 32)
		*byte = (uint8_t)c;
	else if (c <= 66)
		*byte = (uint8_t)(c - 33 + 127);
	else if (c == 67)
		*byte = 173;
	else
		return 0;
	return length;
}

/* Appends the bytes that `token` stands for to bpe->text without counting them as used yet. */
static omt_status decode_token(omt_bpe *bpe, const char *place, const char *token, size_t *bytes,
                               omt_error *err)
{
	size_t length = strlen(token), used = bpe->text_used;
	if (bpe->text_room - used < length) {
		size_t room = 2 * (bpe->text_room + length + 4096);
		uint8_t *grown = room > UINT32_MAX ? NULL : realloc(bpe->text, room);
		if (!grown)
			return OMT_FAIL(err, NO_MEMORY, "%s: vocabulary", place);
		bpe->text = grown;
		bpe->text_room = room;
	}
	for (size_t at = 0; at < length;) {
		size_t step = alphabet_byte(token + at, &bpe->text[used]);
		if (!step)
			return OMT_FAIL(err, BAD_FORMAT,
			                "%s: token \"%.40s\" is not of the byte-level alphabet",
			                place, token);
		used++;
		at += step;
	}
	*bytes = used - bpe->text_used;
	return OMT_OK;
}

static omt_status read_vocab(omt_bpe *bpe, omt_json model, omt_error *err)
{
	const json_t *vocab = json_object_get(model.object, "vocab");
	const char *token;
	json_t *id;
	if (!json_is_object(vocab) || !json_object_size(vocab))
		return OMT_FAIL(err, BAD_FORMAT, "%s: model.vocab is missing", model.place);
	size_t size = table_size(json_object_size(vocab));
	bpe->vocab = malloc(size * sizeof *bpe->vocab);
	if (!bpe->vocab)
		return OMT_FAIL(err, NO_MEMORY, "%s: vocabulary", model.place);
	bpe->vocab_mask = size - 1;
	for (size_t i = 0; i < size; i++)
		bpe->vocab[i].id = -1;
	json_object_foreach((json_t *)(uintptr_t)vocab, token, id)
	{
		size_t bytes;
		json_int_t number = json_integer_value(id);
		if (!json_is_integer(id) || number < 0 || number >= MAX_ID)
			return OMT_FAIL(err, BAD_FORMAT, "%s: id of token \"%.40s\"", model.place,
			                token);
		OMT_TRY(decode_token(bpe, model.place, token, &bytes, err));
		omt_vocab_entry *slot = vocab_slot(bpe, bpe->text + bpe->text_used, bytes);
		if (slot->id >= 0)
			return OMT_FAIL(err, BAD_FORMAT, "%s: token \"%.40s\" twice", model.place,
			                token);
		*slot = (omt_vocab_entry){(uint32_t)bpe->text_used, (uint32_t)bytes,
		                          (int32_t)number};
		bpe->text_used += bytes;
		if (number >= bpe->size)
			bpe->size = (int32_t)number + 1;
	}
	for (int byte = 0; byte < 256; byte++) {
		uint8_t value = (uint8_t)byte;
		bpe->byte_ids[byte] = omt_bpe_find(bpe, &value, 1);
		if (bpe->byte_ids[byte] < 0)
			return OMT_FAIL(err, UNSUPPORTED,
			                "%s: byte 0x%02x has no token: not a byte-level vocabulary",
			                model.place, byte);
	}
	return OMT_OK;
}

/* One merge, "left right" or ["left", "right"]. */
static omt_status read_merge(omt_bpe *bpe, const char *place, const json_t *entry, uint32_t rank,
                             omt_error *err)
{
	const char *left = json_string_value(entry), *right = NULL;
	char joined[2048];
	size_t left_bytes, bytes;
	if (left) {
		right = strchr(left, ' ');
	} else {
		left = json_string_value(json_array_get(entry, 0));
		right = json_string_value(json_array_get(entry, 1));
	}
	if (!left || !right || strlen(left) + strlen(right) >= sizeof joined)
		return OMT_FAIL(err, BAD_FORMAT, "%s: merge %u is not a pair", place, rank);
	size_t left_length = json_is_string(entry) ? (size_t)(right - left) : strlen(left);
	right += json_is_string(entry);
	memcpy(joined, left, left_length);
	joined[left_length] = '\0';
	OMT_TRY(decode_token(bpe, place, joined, &left_bytes, err));
	strcpy(joined + left_length, right);
	OMT_TRY(decode_token(bpe, place, joined, &bytes, err));
	const uint8_t *text = bpe->text + bpe->text_used;
	omt_merge merge = {.left = omt_bpe_find(bpe, text, left_bytes),
	                   .right = omt_bpe_find(bpe, text + left_bytes, bytes - left_bytes),
	                   .merged = omt_bpe_find(bpe, text, bytes),
	                   .rank = rank};
	if (merge.left < 0 || merge.right < 0 || merge.merged < 0)
		return OMT_FAIL(err, BAD_FORMAT,
		                "%s: merge %u is of tokens that are not in the "
		                "vocabulary",
		                place, rank);
	omt_merge *slot = merge_slot(bpe, merge.left, merge.right);
	if (slot->left < 0)
		*slot = merge;
	return OMT_OK;
}

static omt_status read_merges(omt_bpe *bpe, omt_json model, omt_error *err)
{
	const json_t *merges = json_object_get(model.object, "merges");
	size_t index;
	json_t *entry;
	if (!json_is_array(merges))
		return OMT_FAIL(err, BAD_FORMAT, "%s: model.merges is missing", model.place);
	size_t size = table_size(json_array_size(merges));
	bpe->merges = malloc(size * sizeof *bpe->merges);
	if (!bpe->merges)
		return OMT_FAIL(err, NO_MEMORY, "%s: merges", model.place);
	bpe->merge_mask = size - 1;
	for (size_t i = 0; i < size; i++)
		bpe->merges[i].left = -1;
	json_array_foreach(merges, index, entry)
		OMT_TRY(read_merge(bpe, model.place, entry, (uint32_t)index, err));
	return OMT_OK;
}

/* What changes the result and is not done here must be off. */
static omt_status check_settings(omt_bpe *bpe, omt_json model, omt_error *err)
{
	static const char *const off[] = {"dropout", "unk_token", "continuing_subword_prefix",
	                                  "end_of_word_suffix", "byte_fallback"};
	const char *type = "BPE";
	OMT_TRY(omt_json_string(model, "type", &type, err));
	if (strcmp(type, "BPE"))
		return OMT_FAIL(err, UNSUPPORTED, "%s: model.type is \"%s\", expected \"BPE\"",
		                model.place, type);
	for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
		const json_t *value = json_object_get(model.object, off[i]);
		if (value && !json_is_null(value) && !json_is_false(value) &&
		    !(json_is_string(value) && !json_string_length(value)))
			return OMT_FAIL(err, UNSUPPORTED, "%s: model.%s is set", model.place,
			                off[i]);
	}
	return omt_json_bool(model, "ignore_merges", &bpe->ignore_merges, err);
}

omt_status omt_bpe_open(omt_json model, omt_bpe **given, omt_error *err)
{
	omt_status status;
	omt_bpe *bpe = calloc(1, sizeof *bpe);
	*given = NULL;
	if (!bpe)
		return OMT_FAIL(err, NO_MEMORY, "%s", model.place);
	OMT_GOTO(check_settings(bpe, model, err));
	OMT_GOTO(read_vocab(bpe, model, err));
	OMT_GOTO(read_merges(bpe, model, err));
	*given = bpe;
	bpe = NULL;
done:
	omt_bpe_close(bpe);
	return status;
}

void omt_bpe_close(omt_bpe *bpe)
{
	if (!bpe)
		return;
	free(bpe->text);
	free(bpe->vocab);
	free(bpe->merges);
	free(bpe);
}

/* ---- encoding ------------------------------------------------------------------------------ */

/* Symbols of a piece as a linked list; a symbol swallowed by its left neighbour has id -1. */
typedef struct omt_symbol {
	int32_t id;
	uint32_t previous, next;
} omt_symbol;

/* A merge that was possible when it was pushed: of the symbol at `at` and the next one. */
typedef struct omt_candidate {
	uint32_t rank, at;
	int32_t left, right, merged;
} omt_candidate;

typedef struct omt_merger {
	const omt_bpe *bpe;
	omt_symbol *symbols;
	omt_candidate *heap;
	size_t heap_count;
} omt_merger;

/* Lowest rank first, then leftmost. */
static bool before(const omt_candidate *a, const omt_candidate *b)
{
	return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_push(omt_merger *m, omt_candidate candidate)
{
	size_t at = m->heap_count++;
	while (at && before(&candidate, &m->heap[(at - 1) / 2])) {
		m->heap[at] = m->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	m->heap[at] = candidate;
}

static omt_candidate heap_pop(omt_merger *m)
{
	omt_candidate top = m->heap[0], last = m->heap[--m->heap_count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= m->heap_count)
			break;
		if (child + 1 < m->heap_count && before(&m->heap[child + 1], &m->heap[child]))
			child++;
		if (!before(&m->heap[child], &last))
			break;
		m->heap[at] = m->heap[child];
		at = child;
	}
	m->heap[at] = last;
	return top;
}

static void consider(omt_merger *m, uint32_t at)
{
	if (at == NONE || m->symbols[at].next == NONE)
		return;
	int32_t left = m->symbols[at].id, right = m->symbols[m->symbols[at].next].id;
	const omt_merge *merge = merge_slot(m->bpe, left, right);
	if (merge->left >= 0)
		heap_push(m, (omt_candidate){merge->rank, at, left, right, merge->merged});
}

static void merge_all(omt_merger *m)
{
	omt_symbol *symbols = m->symbols;
	while (m->heap_count) {
		omt_candidate top = heap_pop(m);
		omt_symbol *left = &symbols[top.at];
		if (left->id != top.left || left->next == NONE ||
		    symbols[left->next].id != top.right)
			continue; /* one of the two was merged otherwise in the meantime */
		omt_symbol *right = &symbols[left->next];
		left->id = top.merged;
		right->id = -1;
		left->next = right->next;
		if (left->next != NONE)
			symbols[left->next].previous = top.at;
		consider(m, left->previous);
		consider(m, top.at);
	}
}

omt_status omt_bpe_encode(const omt_bpe *bpe, const uint8_t *piece, size_t bytes, omt_ids *ids,
                          omt_error *err)
{
	omt_status status = OMT_OK;
	if (bpe->ignore_merges) {
		int32_t whole = omt_bpe_find(bpe, piece, bytes);
		if (whole >= 0)
			return omt_ids_append(ids, whole, err);
	}
	if (bytes == 1)
		return omt_ids_append(ids, bpe->byte_ids[piece[0]], err);
	if (bytes >= NONE / 4)
		return OMT_FAIL(err, LIMIT, "a word of %zu bytes", bytes);
	/* A merge removes one pair and opens two: 3 n pushes at most. */
	omt_merger m = {.bpe = bpe,
	                .symbols = malloc(bytes * sizeof *m.symbols),
	                .heap = malloc(3 * bytes * sizeof *m.heap)};
	if (!m.symbols || !m.heap) {
		status = OMT_FAIL(err, NO_MEMORY, "a word of %zu bytes", bytes);
		goto done;
	}
	for (size_t i = 0; i < bytes; i++)
		m.symbols[i] = (omt_symbol){bpe->byte_ids[piece[i]], (uint32_t)i - 1,
		                            i + 1 < bytes ? (uint32_t)i + 1 : NONE};
	for (size_t i = 0; i + 1 < bytes; i++)
		consider(&m, (uint32_t)i);
	merge_all(&m);
	for (uint32_t at = 0; at != NONE; at = m.symbols[at].next)
		OMT_GOTO(omt_ids_append(ids, m.symbols[at].id, err));
done:
	free(m.symbols);
	free(m.heap);
	return status;
}
