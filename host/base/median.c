#include "base/median.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

void omt_reals_sort(double *values, size_t count)
{
	if (count) /* else there may be no array */
		qsort(values, count, sizeof *values, compare);
}

double omt_median(double *values, size_t count)
{
	omt_reals_sort(values, count);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}
