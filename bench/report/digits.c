#include "bench/report/digits.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static omt_digits with_exponent(double value)
{
	omt_digits digits;
	int exponent = (int)floor(log10(fabs(value)));
	snprintf(digits.text, sizeof digits.text, "%.2fe%d", value / pow(10, exponent), exponent);
	return digits;
}

omt_digits omt_digits_fixed(double value, int decimals)
{
	omt_digits digits = {"–"};
	char plain[32];
	if (!isfinite(value))
		return digits;
	if (fabs(value) >= 1e9)
		return with_exponent(value);
	decimals = decimals < 0 ? 0 : decimals > 9 ? 9 : decimals;
	snprintf(plain, sizeof plain, "%.*f", decimals, fabs(value));
	size_t whole = strcspn(plain, "."), used = 0;
	if (value < 0 && strspn(plain, "0.") != strlen(plain))
		digits.text[used++] = '-';
	for (size_t i = 0; i < whole; i++) {
		if (i && (whole - i) % 3 == 0)
			digits.text[used++] = ',';
		digits.text[used++] = plain[i];
	}
	snprintf(digits.text + used, sizeof digits.text - used, "%s", plain + whole);
	return digits;
}

int omt_digits_decimals(double value)
{
	if (value == 0 || !isfinite(value))
		return 0;
	int decimals = 2 - (int)floor(log10(fabs(value)));
	return decimals < 0 ? 0 : decimals > 6 ? 6 : decimals;
}

omt_digits omt_digits_short(double value)
{
	return omt_digits_fixed(value, omt_digits_decimals(value));
}

omt_bytes_unit omt_digits_unit(double bytes)
{
	static const omt_bytes_unit units[] = {
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}};
	size_t i = 0;
	while (units[i].bytes > 1 && !(fabs(bytes) >= units[i].bytes))
		i++;
	return units[i];
}

omt_digits omt_digits_bytes(double bytes)
{
	omt_bytes_unit unit = omt_digits_unit(bytes);
	omt_digits digits = omt_digits_short(bytes / unit.bytes);
	size_t used = strlen(digits.text);
	if (isfinite(bytes))
		snprintf(digits.text + used, sizeof digits.text - used, " %s", unit.name);
	return digits;
}
