#include "model/layout.h"

#include <math.h>

/* Angle tables: cos and sin of position * theta^(-2i / dim) for i < dim / 2. */
typedef struct omt_rotary_freqs {
	int32_t count;      /* dim / 2 */
	float inverse[256]; /* theta^(-2i / dim) */
} omt_rotary_freqs;

static void init_freqs(omt_rotary_freqs *freqs, int32_t dim, double theta)
{
	freqs->count = dim / 2;
	for (int32_t i = 0; i < freqs->count; i++)
		freqs->inverse[i] = 1.0f / powf((float)theta, (float)(2 * i) / (float)dim);
}

/* The product is rounded to f32 before the cosine is taken, as in the reference. */
static void angle(int32_t position, float inverse, float *cosine, float *sine)
{
	float product = (float)position * inverse;
	*cosine = (float)cos((double)product);
	*sine = (float)sin((double)product);
}

void omt_rotary_text(const omt_text_config *config, const int32_t *positions, int32_t tokens,
                     float *cosines, float *sines)
{
	omt_rotary_freqs freqs;
	init_freqs(&freqs, config->head_dim, config->rope_theta);
	for (int32_t token = 0; token < tokens; token++) {
		int32_t axis = 0, section_end = config->mrope_section[0];
		for (int32_t i = 0; i < freqs.count; i++) {
			while (i >= section_end && axis < 2)
				section_end += config->mrope_section[++axis];
			size_t at = (size_t)token * (size_t)freqs.count + (size_t)i;
			angle(positions[(size_t)axis * (size_t)tokens + (size_t)token],
			      freqs.inverse[i], &cosines[at], &sines[at]);
		}
	}
}

void omt_windows_fill(const omt_vision_config *config, int32_t t, int32_t h, int32_t w,
                      omt_windows *windows)
{
	int32_t rows = h / config->merge, cols = w / config->merge;
	int32_t side = config->window / config->merge / config->patch;
	int32_t placed = 0;
	windows->count = 0;
	for (int32_t frame = 0; frame < t; frame++)
		for (int32_t top = 0; top < rows; top += side)
			for (int32_t left = 0; left < cols; left += side) {
				for (int32_t y = top; y < top + side && y < rows; y++)
					for (int32_t x = left; x < left + side && x < cols; x++)
						windows->order[placed++] =
							(frame * rows + y) * cols + x;
				windows->ends[windows->count++] =
					placed * config->merge * config->merge;
			}
}

void omt_rotary_vision(const omt_vision_config *config, int32_t h, int32_t w, const int32_t *cells,
                       int32_t cell_count, float *cosines, float *sines)
{
	omt_rotary_freqs freqs; /* head_dim / 4 of them for each of the two axes */
	init_freqs(&freqs, config->head_dim / 2, 10000.0);
	int32_t merge = config->merge, cols = w / merge, rows = h / merge;
	size_t at = 0;
	for (int32_t i = 0; i < cell_count; i++) {
		int32_t cell = cells[i] % (rows * cols);
		for (int32_t patch = 0; patch < merge * merge; patch++) {
			int32_t y = cell / cols * merge + patch / merge;
			int32_t x = cell % cols * merge + patch % merge;
			for (int32_t f = 0; f < freqs.count; f++, at++)
				angle(y, freqs.inverse[f], &cosines[at], &sines[at]);
			for (int32_t f = 0; f < freqs.count; f++, at++)
				angle(x, freqs.inverse[f], &cosines[at], &sines[at]);
		}
	}
}

void omt_places_fill(const omt_vision_config *config, int32_t t, int32_t h, int32_t w,
                     int32_t frames, int32_t format, int32_t first, int32_t *places)
{
	int32_t merge = config->merge, side = config->patch, depth = config->temporal_patch;
	int32_t merged = merge * merge, cols = w / merge, rows = h / merge, width = w * side;
	for (int32_t i = 0; i < t * h * w; i++) {
		int32_t cell = i / merged % (rows * cols), grid = i / (h * w);
		int32_t y = cell / cols * merge + i % merged / merge;
		int32_t x = cell % cols * merge + i % merge;
		for (int32_t dt = 0; dt < depth; dt++) {
			int32_t frame = grid * depth + dt;
			frame = frame < frames ? frame : frames - 1;
			*places++ = first + (frame * h * side + y * side) * width + x * side;
		}
		*places++ = width;
		*places++ = format;
	}
}

int32_t omt_chunk_end(const int32_t *times, int32_t count, int32_t start, int32_t per_chunk,
                      int32_t *chunk)
{
	int32_t limit = (*chunk)++ * per_chunk;
	/* The token that began this chunk is not tested again: it stays, even if it lies beyond. */
	for (int32_t i = start + 1; i < count; i++)
		if (times[i] >= limit)
			return i;
	return count;
}
