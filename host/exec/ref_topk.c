#include <math.h>

#include "exec/ref.h"

/* Columns come in ascending order: a score goes behind its equals. */
void ref_topk(OMT_REF_ARGS(OMT_TOPK))
{
	for (int32_t row = 0; row < rows; row++) {
		const float least = bounded ? bound[row] : -INFINITY;
		float *best = values + (size_t)row * (size_t)ldo;
		int32_t *column = index + (size_t)row * (size_t)ldo, count = 0;
		for (int32_t i = 0; i < cols; i++) {
			const float score =
				x[(size_t)row * (size_t)ldx + (size_t)i * (size_t)stride];
			if (!(score > least) || (count == k && score <= best[k - 1]))
				continue;
			int32_t place = count < k ? count++ : k - 1;
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
