#include "media/media.h"

void omt_limits_init(omt_limits *limits)
{
	*limits = (omt_limits){
		.recipe = OMT_RECIPE_CAP,
		.fps = 2.0,
		.min_frames = 4,
		.max_frames = 64,
		.video_min_pixels = 32 * 14 * 14,
		.video_max_pixels = 64 * 28 * 28,
		.max_samples = 2048000,
		.max_bytes = (int64_t)4 << 30,
		.max_source_pixels = 178956970, /* PIL's limit before it refuses a picture */
		.scene_threshold = 0.3,
		.max_characters = 16384,
	};
}
