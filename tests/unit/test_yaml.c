#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/yaml.h"

static omt_status parse(const char *text, omt_yaml *yaml, omt_error *err)
{
	return omt_yaml_parse("f.yaml", text, strlen(text), yaml, err);
}

Test(yaml, values_by_the_core_schema)
{
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{"a:", "{\"a\":null}"},
		{"a: ~", "{\"a\":null}"},
		{"a: Null", "{\"a\":null}"},
		{"a: true", "{\"a\":true}"},
		{"a: FALSE", "{\"a\":false}"},
		{"a: yes", "{\"a\":\"yes\"}"},
		{"a: 'true'", "{\"a\":\"true\"}"},
		{"a: -12", "{\"a\":-12}"},
		{"a: +12", "{\"a\":12}"},
		{"a: 010", "{\"a\":10}"},
		{"a: 0o10", "{\"a\":8}"},
		{"a: 0x1F", "{\"a\":31}"},
		{"a: 0x", "{\"a\":\"0x\"}"},
		{"a: 0o8", "{\"a\":\"0o8\"}"},
		{"a: -0x1", "{\"a\":\"-0x1\"}"},
		{"a: 9223372036854775807", "{\"a\":9223372036854775807}"},
		{"a: 1.5", "{\"a\":1.5}"},
		{"a: -.5e1", "{\"a\":-5.0}"},
		{"a: 1e999", "{\"a\":\"1e999\"}"},
		{"a: .inf", "{\"a\":\".inf\"}"},
		{"a: nan", "{\"a\":\"nan\"}"},
		{"a: 1.2.3", "{\"a\":\"1.2.3\"}"},
		{"a: '7'", "{\"a\":\"7\"}"},
		{"a: x y # not this", "{\"a\":\"x y\"}"},
		{"a: |\n  x\n  y\n", "{\"a\":\"x\\ny\\n\"}"},
		{"a: \"\\u00e9\"", "{\"a\":\"\u00e9\"}"},
		{"a: [1, two, [3]]", "{\"a\":[1,\"two\",[3]]}"},
		{"a:\n- b: 1\n- c: 2\n", "{\"a\":[{\"b\":1},{\"c\":2}]}"},
		{"{a: {b: {}}}", "{\"a\":{\"b\":{}}}"},
		{"1: x", "{\"1\":\"x\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_yaml yaml;
		omt_error err = {0};
		cr_assert_eq(parse(cases[i].yaml, &yaml, &err), OMT_OK, "%s: %s", cases[i].yaml,
		             err.text);
		char *json = json_dumps(yaml.root, JSON_COMPACT);
		cr_expect_str_eq(json, cases[i].json, "%s", cases[i].yaml);
		free(json);
		omt_yaml_free(&yaml);
	}
}

Test(yaml, refuses_with_file_and_line)
{
	static const struct {
		const char *yaml, *error;
	} cases[] = {
		{"", "f.yaml:1: expected one document"},
		{"# nothing\n", "expected one document"},
		{"a: 1\n---\nb: 2\n", "f.yaml:2: expected one document"},
		{"- 1\n", "f.yaml:1: the top is not a mapping"},
		{"text\n", "the top is not a mapping"},
		{"a: 1\nb: 2\na: 3\n", "f.yaml:3: \"a\" for the second time"},
		{"a: &x 1\nb: *x\n", "f.yaml:1: anchor \"x\""},
		{"b: *x\n", "f.yaml:1: an alias"},
		{"a:\n  b: !!int '3'\n", "f.yaml:2: tag \"tag:yaml.org,2002:int\""},
		{"a: !x [1]\n", "tag \"!x\""},
		{"a: &m {b: 1}\n", "anchor \"m\""},
		{"!k a: 1\n", "tag \"!k\""},
		{"? [a]\n: 1\n", "f.yaml:1: a key that is not a scalar"},
		{"\"a\\0b\": 1\n", "a key with a NUL byte"},
		{"a: [1\n", "f.yaml:2: not YAML: "},
		{"a: b: c\n", "f.yaml:1: not YAML: "},
		{"a:\n\t- 1\n", "f.yaml:2: not YAML: "},
		{"a: \xff\xfe\n", "not YAML: "},
		{"a:\n  [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested deeper than 32"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		omt_yaml yaml;
		omt_error err = {0};
		cr_expect_neq(parse(cases[i].yaml, &yaml, &err), OMT_OK, "%s", cases[i].yaml);
		cr_expect_not_null(strstr(err.text, cases[i].error), "%s: %s", cases[i].yaml,
		                   err.text);
		cr_expect_null(yaml.root);
	}
}

Test(yaml, refuses_a_key_that_is_too_long)
{
	char text[800];
	omt_yaml yaml;
	omt_error err;
	memset(text, 'k', 600);
	strcpy(text + 600, ": 1\n");
	cr_expect_eq(parse(text, &yaml, &err), OMT_LIMIT);
	cr_expect_not_null(strstr(err.text, "f.yaml:1: "), "%s", err.text);
}

Test(yaml, finds_mappings_and_lines)
{
	static const char text[] = "model: m\ndata:\n  items: 3\n  deeper:\n    x: 1\n";
	static const char *const top[] = {"model", "data", NULL}, *const some[] = {"items", NULL};
	omt_yaml yaml;
	omt_error err;
	int32_t items = 0;
	cr_assert_eq(parse(text, &yaml, &err), OMT_OK);
	cr_expect_eq(omt_yaml_line(&yaml, "data.deeper.x"), 5);
	cr_expect_eq(omt_yaml_line(&yaml, "nothing"), 0);
	cr_expect_null(omt_yaml_at(&yaml, "nothing").object);
	cr_expect_null(omt_yaml_at(&yaml, "model").object);
	cr_expect_eq(omt_json_int(omt_yaml_at(&yaml, "data"), "items", 0, 9, &items, &err), OMT_OK);
	cr_expect_eq(items, 3);
	cr_expect_eq(omt_yaml_only(&yaml, "", top, &err), OMT_OK);
	cr_expect_eq(omt_yaml_only(&yaml, "absent", some, &err), OMT_OK);
	cr_expect_eq(omt_yaml_only(&yaml, "data", some, &err), OMT_BAD_FORMAT);
	cr_expect_str_eq(err.text, "f.yaml:4: unknown key \"data.deeper\"");
	omt_yaml_free(&yaml);
	omt_yaml_free(&yaml);
}

Test(yaml, load_names_a_file_that_is_not_there)
{
	omt_yaml yaml;
	omt_error err;
	cr_expect_eq(omt_yaml_load("/nowhere/f.yaml", &yaml, &err), OMT_IO);
	cr_expect_not_null(strstr(err.text, "/nowhere/f.yaml"), "%s", err.text);
	omt_yaml_free(&yaml);
}
