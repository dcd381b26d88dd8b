/* tiny.h - for tests that run the test checkpoint: the model, open, beside a folder of the test's
 * own. */
#ifndef OMT_TESTS_UNIT_TINY_H
#define OMT_TESTS_UNIT_TINY_H

#include "omnitile.h"
#include "tests/unit/scratch.h"

#define DATA "tests/golden/data/"

static omt_error err;
static omt_model *model;

/* For .init and .fini of a suite. */
static inline void tiny_open(void)
{
	scratch_make();
	cr_assert_eq(omt_model_open(DATA "tiny", &model, &err), OMT_OK, "%s", err.text);
}

static inline omt_engine_options tiny_options(const char *backend, const char *device,
                                              int32_t slots, int32_t batch_items, bool eager)
{
	omt_engine_options options;
	omt_engine_options_init(&options);
	options.backend = backend;
	options.device = device;
	options.slots = slots;
	options.batch_items = batch_items;
	options.eager = eager;
	return options;
}

static inline void tiny_close(void)
{
	omt_model_close(model);
	scratch_drop();
}

#endif
