#include <criterion/criterion.h>
#include <stdio.h>

#include "base/names.h"

/* Numbers are the order of coming, through all growth; names of any bytes, also of none, and one
 * that begins another. */
Test(names, numbered_in_order)
{
	enum { COUNT = 20000 };
	omt_names names = {0};
	uint32_t number;
	char text[16];
	cr_expect_not(omt_names_find(&names, "a", 1, &number));
	for (uint32_t i = 0; i < COUNT; i++) {
		int bytes = i ? snprintf(text, sizeof text, "%x", i * 2654435761u >> 7) : 0;
		cr_assert(omt_names_add(&names, text, (size_t)bytes, &number));
		cr_assert_eq(number, i);
	}
	for (uint32_t i = 0; i < COUNT; i++) {
		int bytes = i ? snprintf(text, sizeof text, "%x", i * 2654435761u >> 7) : 0;
		cr_assert(omt_names_add(&names, text, (size_t)bytes, &number));
		cr_assert_eq(number, i);
		cr_assert(omt_names_find(&names, text, (size_t)bytes, &number));
		cr_assert_eq(number, i);
		cr_assert(bytes == 0 || !strcmp(omt_names_get(&names, i), text));
	}
	cr_expect_eq(names.count, COUNT);
	cr_expect_not(omt_names_find(&names, "none", 4, &number));
	static const char keys[][8] = {"\0\0\0\0", "\0\0\0\0\0", "\0\0\1\0", "\0\0\1"};
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert(omt_names_add(&names, keys[i], 4 + i % 2, &number));
		cr_expect_eq(number, COUNT + i);
	}
	omt_names_free(&names);
	cr_expect_eq(names.count, 0);
}
