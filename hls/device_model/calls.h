/* calls.h - the host's calls: messages of messages.proto to the card and back. */
#ifndef OMT_HLS_DEVICE_MODEL_CALLS_H
#define OMT_HLS_DEVICE_MODEL_CALLS_H

#include "hls/device_model/board.h"
#include "hls/device_model/frame.h"

typedef struct omt_session {
	omt_board board;
	const char *refusal; /* settings are wrong: no container is loaded; NULL: they are fine */
	char *files[2], *binary_folder, *device_folder; /* of the shim's run directory; given */
	bool closing;                                   /* the host has closed the card */
} omt_session;

/* The reply to a call, whatever it is: what cannot be done is said on stderr and refused in the
 * call's own way. Fails only without memory. */
omt_status omt_call_answer(omt_session *session, uint32_t api, const omt_frame_buffer *call,
                           omt_frame_buffer *reply, omt_error *err);

/* Unloads and, unless the setting `keep` is on, removes what the shim wrote for the container;
 * `all`: and the device's folder. */
void omt_session_clear(omt_session *session, bool all);

#endif
