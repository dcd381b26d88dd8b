/* unfold_hls.c - windows of a 1-D convolution as rows: out[t, c * taps + j] = x[t * stride + j -
 * pad, c], zeros outside the sequence.
 *
 * The last HLS_ROWS rows (a power of two) of x are on the chip, so that each is read once however
 * many windows see it. A window is written in groups of HLS_WIDTH channels: a group's taps are put
 * into registers, from which `taps` vectors are picked. HLS_COLS channels at most.
 *   II 1; ceil(channels / WIDTH) cycles (load) for each row that a window sees, ceil(channels x
 *   taps / WIDTH) cycles (store) for each window; memory: ROWS x COLS x 32 bits. */
#ifndef HLS_WIDTH
#define HLS_WIDTH 8
#endif
#ifndef HLS_ROWS
#define HLS_ROWS 4
#endif
#ifndef HLS_COLS
#define HLS_COLS 2048
#endif
#include "portable.h"

#define STEPS (HLS_COLS / HLS_WIDTH)

/* The window of rows from `first` on, those outside [0, length) as zeros. */
static inline void put_window(float ring[HLS_ROWS][STEPS][HLS_WIDTH], int first, int length,
                              int channels, int taps, HLS_GLOBAL float *out, hls_at at)
{
	float window[HLS_ROWS][HLS_WIDTH]; /* of a group of channels */
	int tap[HLS_WIDTH], feature[HLS_WIDTH];
	HLS_PARTITION(window, 0)
	HLS_PARTITION(tap, 0)
	HLS_PARTITION(feature, 0)
	const int vectors = HLS_DIVIDED(channels * taps, HLS_WIDTH);
	/* Lane w of the group's vector i is element i * WIDTH + w: counted, not divided. */
	int group = 0, i = 0, more_taps = 0, more_channels = 0;
	HLS_UNROLL
	for (int w = 0; w < HLS_WIDTH; w++) {
		tap[w] = more_taps++;
		feature[w] = more_channels;
		if (more_taps == taps) {
			more_taps = 0;
			more_channels++;
		}
	}
	for (int step = 0; step < vectors; step++) {
		HLS_PIPELINE
		HLS_TRIP(HLS_STORE);
		float vector[HLS_WIDTH];
		HLS_UNROLL
		for (int j = 0; j < HLS_ROWS; j++) {
			const int row = first + j;
			HLS_UNROLL
			for (int w = 0; w < HLS_WIDTH; w++)
				if (i == 0)
					window[j][w] = j < taps && row >= 0 && row < length
					                       ? ring[row % HLS_ROWS][group][w]
					                       : 0;
		}
		HLS_UNROLL
		for (int w = 0; w < HLS_WIDTH; w++) {
			const int t = tap[w] + more_taps, c = feature[w] + more_channels;
			vector[w] = window[tap[w]][feature[w]];
			tap[w] = t >= taps ? t - taps : t;
			feature[w] = (t >= taps ? c + 1 : c) % HLS_WIDTH; /* the next group */
		}
		hls_store(vector, out, at + step * HLS_WIDTH, channels * taps - step * HLS_WIDTH);
		i++;
		if (i == taps) {
			i = 0;
			group++;
		}
	}
}

HLS_KERNEL(unfold, OMT_UNFOLD)
{
	HLS_PORTS(OMT_UNFOLD)
	float ring[HLS_ROWS][STEPS][HLS_WIDTH];
	HLS_PARTITION(ring, 1)
	HLS_PARTITION(ring, 3)
	(void)out_rows;
	const int steps = HLS_DIVIDED(channels, HLS_WIDTH);
	for (int s = 0; s < sequences; s++) {
		const int in = cu_in[s], length = cu_in[s + 1] - in;
		const int to = cu_out[s], windows = cu_out[s + 1] - to;
		int next = 0; /* the first row that was not read */
		HLS_READ(16);
		for (int t = 0; t < windows; t++) {
			const int first = t * stride - pad, end = HLS_MIN(first + taps, length);
			for (next = HLS_MAX(next, first); next < end; next++)
				for (int i = 0; i < steps; i++) {
					HLS_PIPELINE
					HLS_TRIP(HLS_LOAD);
					const int at = i * HLS_WIDTH;
					hls_load(x, (hls_at)(in + next) * ldx + at, channels - at,
					         ring[next % HLS_ROWS][i]);
				}
			put_window(ring, first, length, channels, taps, out,
			           (hls_at)(to + t) * ldo);
		}
	}
}
