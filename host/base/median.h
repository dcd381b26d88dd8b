/* median.h - what repeated measurements are told by. */
#ifndef OMT_BASE_MEDIAN_H
#define OMT_BASE_MEDIAN_H

#include <stddef.h>

/* Ascending. */
void omt_reals_sort(double *values, size_t count);

/* Median of `count` > 0 values, which are sorted; of an even count the mean of the middle two. */
double omt_median(double *values, size_t count);

#endif
