/* digits.h - numbers as people read them: thousands in groups, digits that mean something. */
#ifndef OMT_BENCH_DIGITS_H
#define OMT_BENCH_DIGITS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct omt_digits {
	char text[32];
} omt_digits;

/* So many decimals (0 to 9), thousands apart by commas: "1,234.5"; from 1e9 on three digits and an
 * exponent, "1.23e12"; not finite: "–". */
omt_digits omt_digits_fixed(double value, int decimals);

/* Three digits that count: "0.0123", "1.23", "12.3", "123", "1,235". */
omt_digits omt_digits_short(double value);

/* Decimals by which a value shows three digits, 0 to 6: 0.0123 has 4, 12.3 has 1, 123 has 0. */
int omt_digits_decimals(double value);

/* The unit bytes are told in, and how many of them it is: kB, MB, GB, TB of 1000. */
typedef struct omt_bytes_unit {
	const char *name;
	double bytes;
} omt_bytes_unit;
omt_bytes_unit omt_digits_unit(double bytes);

/* "8.80 GB". */
omt_digits omt_digits_bytes(double bytes);

#endif
