/* expect.h - checks of the programs in this folder: what is wrong is printed, and the rest goes on.
 * main() returns `wrong`. */
#ifndef OMT_TESTS_FPGA_EXPECT_H
#define OMT_TESTS_FPGA_EXPECT_H

#include <stdio.h>

static int wrong;

/* With what there was instead, as printf() takes it. */
#define EXPECT_OR(condition, ...)                                              \
	do {                                                                   \
		if (!(condition)) {                                            \
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__);                                   \
			putchar('\n');                                         \
			wrong = 1;                                             \
		}                                                              \
	} while (0)
#define EXPECT(condition) EXPECT_OR(condition, "not so")

#endif
