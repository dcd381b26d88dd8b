/* Files are the same under a locale that writes 0,5. */
#include <locale.h>

#include "base/file.h"
#include "base/numeric.h"
#include "tests/unit/tiny.h"

static void enter(void)
{
	tiny_open();
	if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8"))
		cr_skip_test("no such locale is installed (locales-all, or LOCPATH)");
	cr_assert_eq(strtod("0,5", NULL), 0.5);
}

TestSuite(numeric, .init = enter, .fini = tiny_close);

Test(numeric, vectors_as_lines)
{
	const float vector[2] = {0.5f, -1.25f};
	const omt_result result = {.id = "a", .vector = vector, .dimension = 2};
	omt_writer *writer;
	omt_loaded *loaded;
	const char *path = scratch_path("v.jsonl");
	cr_assert_eq(omt_writer_open(path, NULL, 2, &writer, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_writer_put(writer, &result, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_writer_close(writer, true, &err), OMT_OK, "%s", err.text);
	cr_assert_eq(omt_vectors_load(path, &loaded, &err), OMT_OK, "%s", err.text);
	cr_expect_arr_eq(loaded->values, vector, sizeof vector);
	omt_vectors_unload(loaded);
	cr_expect_eq(strtod("0,5", NULL), 0.5); /* the program's locale is as it was */
}

Test(numeric, identity)
{
	char here[OMT_IDENTITY_TEXT], plain[OMT_IDENTITY_TEXT];
	cr_assert_eq(omt_model_identity(model, here, &err), OMT_OK, "%s", err.text);
	setlocale(LC_ALL, "C");
	cr_assert_eq(omt_model_identity(model, plain, &err), OMT_OK, "%s", err.text);
	cr_expect_str_eq(here, plain);
}

Test(numeric, runs)
{
	char *json;
	const char *run = scratch_text("run", "q Q0 a 1 0.9 t\nq Q0 b 2 0.5 t\n");
	const omt_eval_options options = {.qrels = scratch_text("qrels", "q 0 a 1\n"),
	                                  .runs = &run,
	                                  .run_count = 1,
	                                  .convention = "mteb"};
	cr_assert_eq(omt_eval(&options, &json, &err), OMT_OK, "%s", err.text);
	cr_expect_not_null(strstr(json, "\"map\":{\"1\":{\"value\":1.0}"), "%s", json);
	omt_free(json);
}
