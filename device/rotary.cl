/* rotary.cl - rotates pairs (i, i + head_dim / 2) in place. Global ids: (head, row). */
#include "contract.h"

__kernel OMT_ALONE void rotary(OMT_ARGS(OMT_ROTARY))
{
	const int head = get_global_id(0), row = get_global_id(1), half_dim = head_dim / 2;
	if (head >= heads || row >= rows)
		return;
	__global float *lower = x + (size_t)row * ldx + head * head_dim;
	__global float *upper = lower + half_dim;
	__global const float *cosine = cosines + (size_t)row * half_dim;
	__global const float *sine = sines + (size_t)row * half_dim;
	for (int i = 0; i < half_dim; i++) {
		const float a = lower[i], b = upper[i];
		lower[i] = a * cosine[i] - b * sine[i];
		upper[i] = b * cosine[i] + a * sine[i];
	}
}
