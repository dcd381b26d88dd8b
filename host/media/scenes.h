/* scenes.h - where a clip's scenes change; omt_video_scores() stands on it.
 *
 * FFmpeg's scene score (libavfilter/f_select.c, get_scene_score(); vf_scdet.c has it times 100),
 * as FFmpeg 4.3 and later compute it: the mean absolute difference d of a frame's luma samples
 * (where there is no luma, of RGB's) and the frame's before, as of 8 bits;
 * score = min(d, |d - d of the frame before|) / 100, 1 at most. The first frame, and one of another
 * size or format than the one before, has 0. */
#ifndef OMT_MEDIA_SCENES_H
#define OMT_MEDIA_SCENES_H

#include "media/demux.h"

/* Of the first `total` frames, from where the demuxer stands; scores[total] is all 0. */
omt_status omt_scenes_score(omt_demux *demux, int stream, double *scores, int32_t total,
                            omt_error *err);

#endif
