/* sound.h - the sound of an opened file; omt_media_audio() and omt_video_sound() stand on it. */
#ifndef OMT_MEDIA_SOUND_H
#define OMT_MEDIA_SOUND_H

#include "media/demux.h"

/* From the first packet on; the demuxer has to stand there. */
omt_status omt_sound_decode(omt_demux *demux, const omt_limits *limits, omt_sound *sound,
                            omt_error *err);

#endif
