/* grad_lanes.h - sums along a row that vectorise: column i belongs to lane i % GRAD_LANES, lanes
 * are added at the end, in halves. The order is the same on every path of base/cpu.h. */
#ifndef OMT_TRAIN_GRAD_LANES_H
#define OMT_TRAIN_GRAD_LANES_H

#include "base/cpu.h"

#define GRAD_LANES 16

/* The lanes from column `at` on, the last ones of a row may be fewer. */
OMT_HOT int32_t grad_lanes(int32_t at, int32_t cols)
{
	return cols - at < GRAD_LANES ? cols - at : GRAD_LANES;
}

OMT_HOT float grad_lanes_sum(float *lanes)
{
	for (int32_t half = GRAD_LANES / 2; half; half /= 2)
		for (int32_t i = 0; i < half; i++)
			lanes[i] += lanes[i + half];
	return lanes[0];
}

#endif
