#include "media/webp.h"

#include <string.h>

bool omt_webp_is(const omt_demux *demux)
{
	return demux->bytes > 20 && !memcmp(demux->data, "RIFF", 4) &&
	       !memcmp(demux->data + 8, "WEBP", 4);
}

bool omt_webp_moves(const omt_demux *demux)
{
	return omt_webp_is(demux) && !memcmp(demux->data + 12, "VP8X", 4) && demux->data[20] & 2;
}

/* Chroma at a luma place: 9/16 of the nearest sample, 3/16 of the neighbours across and down, 1/16
 * of the one between; the edge repeats. */
typedef struct omt_chroma {
	const uint8_t *near, *far; /* rows */
	int width;
} omt_chroma;

static omt_chroma chroma_rows(const AVFrame *frame, int plane, int y)
{
	int height = (frame->height + 1) / 2, near = y / 2, far = near + (y % 2 ? 1 : -1);
	far = far < 0 ? 0 : far >= height ? height - 1 : far;
	const uint8_t *data = frame->data[plane];
	ptrdiff_t stride = frame->linesize[plane];
	return (omt_chroma){data + near * stride, data + far * stride, (frame->width + 1) / 2};
}

static int chroma_at(omt_chroma c, int x)
{
	int near = x / 2, far = near + (x % 2 ? 1 : -1);
	far = far < 0 ? 0 : far >= c.width ? c.width - 1 : far;
	return (9 * c.near[near] + 3 * c.near[far] + 3 * c.far[near] + c.far[far] + 8) >> 4;
}

/* To 8 bits from 14; negative sums are divided downwards, as there. */
static uint8_t clip(int value)
{
	return (uint8_t)(value < 0 ? 0 : value > 0x3fff ? 255 : value >> 6);
}

void omt_webp_convert(const AVFrame *frame, uint8_t *rgba)
{
	for (int y = 0; y < frame->height; y++) {
		const uint8_t *luma = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
		const uint8_t *alpha =
			frame->data[3] ? frame->data[3] + (ptrdiff_t)y * frame->linesize[3] : NULL;
		omt_chroma u_rows = chroma_rows(frame, 1, y), v_rows = chroma_rows(frame, 2, y);
		for (int x = 0; x < frame->width; x++, rgba += 4) {
			int u = chroma_at(u_rows, x), v = chroma_at(v_rows, x);
			int grey = luma[x] * 19077 >> 8;
			rgba[0] = clip(grey + (v * 26149 >> 8) - 14234);
			rgba[1] = clip(grey - (u * 6419 >> 8) - (v * 13320 >> 8) + 8708);
			rgba[2] = clip(grey + (u * 33050 >> 8) - 17685);
			rgba[3] = alpha ? alpha[x] : 255;
		}
	}
}
