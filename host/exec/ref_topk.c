#include <math.h>

#include "exec/ref.h"

/* Columns come in ascending order: a score goes behind its equals. */
void ref_topk(OMT_REF_ARGS(OMT_TOPK))
{
	for (int32_t row = 0; row < rows; row++) {
		float *best = values + (size_t)row * (size_t)ldo;
		int32_t *column = index + (size_t)row * (size_t)ldo, count = 0;
		for (int32_t i = 0; i < cols; i++) {
			const float given =
				x[(size_t)row * (size_t)ldx + (size_t)i * (size_t)stride];
			const float score = isnan(given) ? -INFINITY : given;
			int32_t place = count < k ? count++ : k;
			if (place == k && score <= best[--place])
				continue;
			for (; place > 0 && best[place - 1] < score; place--) {
				best[place] = best[place - 1];
				column[place] = column[place - 1];
			}
			best[place] = score;
			column[place] = first + i;
		}
		for (; count < k; count++) {
			best[count] = -INFINITY;
			column[count] = -1;
		}
	}
}
