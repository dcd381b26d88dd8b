/* Token ids against the reference's on every string of the goldens, and what must be refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "token/tokenizer.h"

#define DATA "tests/golden/data/"

static void check_cases(const char *tokenizer_json, const char *cases, size_t at_least)
{
	omt_error err;
	omt_tokenizer *tokenizer;
	char *text;
	size_t seen = 0;
	cr_assert_eq(omt_tokenizer_open(tokenizer_json, &tokenizer, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_file_read(cases, 1 << 24, &text, NULL, &err), OMT_OK, "%s", err.text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"), seen++) {
		json_t *one, *string, *wanted;
		omt_ids ids = {0};
		cr_assert_eq(omt_json_parse(cases, line, strlen(line), &one, &err), OMT_OK);
		string = json_object_get(one, "text");
		wanted = json_object_get(one, "ids");
		cr_assert_eq(omt_tokenizer_encode(tokenizer, json_string_value(string),
		                                  json_string_length(string), &ids, &err),
		             OMT_OK, "%s", err.text);
		bool equal = ids.count == json_array_size(wanted);
		for (size_t i = 0; equal && i < ids.count; i++)
			equal = ids.data[i] == json_integer_value(json_array_get(wanted, i));
		cr_expect(equal, "%s line %zu: %s", cases, seen + 1, line);
		free(ids.data);
		json_decref(one);
	}
	cr_assert_geq(seen, at_least);
	free(text);
	omt_tokenizer_close(tokenizer);
}

Test(tokenizer, tiny_vocabulary)
{
	check_cases(DATA "tiny/tokenizer.json", DATA "tiny/tokenizer-cases.jsonl", 300);
}

Test(tokenizer, full_vocabulary)
{
	char path[] = "/tmp/omnitile-tokenizer-XXXXXX", command[256];
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	close(fd);
	snprintf(command, sizeof command, "xz -dc " DATA "tokenizer-full/tokenizer.json.xz > %s",
	         path);
	cr_assert_eq(system(command), 0);
	check_cases(path, DATA "tokenizer-full/cases.jsonl", 317);
	unlink(path);
}

/* A megabyte of one letter is one word: its merging must not be quadratic. */
Test(tokenizer, long_word, .timeout = 20)
{
	omt_error err;
	omt_tokenizer *tokenizer;
	omt_ids ids = {0};
	size_t bytes = 1 << 20;
	char *text = malloc(bytes);
	memset(text, 'a', bytes);
	cr_assert_eq(omt_tokenizer_open(DATA "tiny/tokenizer.json", &tokenizer, &err), OMT_OK);
	cr_assert_eq(omt_tokenizer_encode(tokenizer, text, bytes, &ids, &err), OMT_OK);
	cr_assert_gt(ids.count, 0);
	memset(text, ' ', bytes);
	cr_assert_eq(omt_tokenizer_encode(tokenizer, text, bytes, &ids, &err), OMT_OK, "%s",
	             err.text);
	free(ids.data);
	free(text);
	omt_tokenizer_close(tokenizer);
}

Test(tokenizer, broken_utf8_and_nul_are_text)
{
	omt_error err;
	omt_tokenizer *tokenizer;
	omt_ids broken = {0}, replaced = {0};
	cr_assert_eq(omt_tokenizer_open(DATA "tiny/tokenizer.json", &tokenizer, &err), OMT_OK);
	cr_assert_eq(omt_tokenizer_encode(tokenizer,
	                                  "a\0\xff"
	                                  "b",
	                                  4, &broken, &err),
	             OMT_OK);
	cr_assert_eq(omt_tokenizer_encode(tokenizer,
	                                  "a\0\xef\xbf\xbd"
	                                  "b",
	                                  6, &replaced, &err),
	             OMT_OK);
	cr_assert_eq(broken.count, replaced.count);
	cr_assert_arr_eq(broken.data, replaced.data, broken.count * sizeof *broken.data);
	free(broken.data);
	free(replaced.data);
	omt_tokenizer_close(tokenizer);
}

/* Each text is a tokenizer.json that asks for something this code does not do, or is broken. */
Test(tokenizer, refuses_what_it_does_not_know)
{
	static const char *const files[] = {
		"",
		"[]",
		"{}",
		"{\"model\":{}}",
		"{\"model\":{\"type\":\"WordPiece\"}}",
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},"
		"\"pre_tokenizer\":{\"type\":\"Whitespace\"}}",
		"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]},"
		"\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
		"\"use_regex\":false}}",
		"{\"normalizer\":{\"type\":\"NFKC\"},\"model\":{\"type\":\"BPE\"},"
		"\"pre_tokenizer\":{\"type\":\"Split\"}}",
	};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[] = "/tmp/omnitile-tokenizer-XXXXXX";
		omt_error err = {0};
		omt_tokenizer *tokenizer;
		int fd = mkstemp(path);
		cr_assert_eq(write(fd, files[i], strlen(files[i])), (ssize_t)strlen(files[i]));
		close(fd);
		cr_expect_neq(omt_tokenizer_open(path, &tokenizer, &err), OMT_OK, "%s", files[i]);
		cr_expect(strstr(err.text, path) && !strchr(err.text, '\n'), "%s", err.text);
		unlink(path);
	}
}
