#include "hls/device_model/calls.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "messages.pb-c.h"

enum { XML_LIMIT = 64 << 20 };

/* A message of the call, or NULL. */
#define UNPACK(name, call)  omt__##name##__unpack(NULL, (call)->bytes, (call)->data)
#define FREE(name, message) omt__##name##__free_unpacked((message), NULL)

static omt_status malformed(omt_error *err)
{
	return OMT_FAIL(err, BAD_FORMAT, "its message is not as XRT 202210.2.13 writes it");
}

static omt_status put(const ProtobufCMessage *message, omt_frame_buffer *reply, omt_error *err)
{
	OMT_TRY(omt_frame_resize(reply, protobuf_c_message_get_packed_size(message), err));
	protobuf_c_message_pack(message, reply->data);
	return OMT_OK;
}

static omt_status put_number(uint64_t value, omt_frame_buffer *reply, omt_error *err)
{
	Omt__Number number = OMT__NUMBER__INIT;
	number.value = value;
	return put(&number.base, reply, err);
}

/* A path from a message; given. */
static char *path_of(ProtobufCBinaryData data)
{
	return memchr(data.data ? data.data : (uint8_t *)"", 0, data.len)
	               ? NULL
	               : strndup((const char *)data.data, data.len);
}

static void drop(char **path, int (*remove_it)(const char *), bool keep)
{
	if (*path && **path && !keep)
		remove_it(*path);
	free(*path);
	*path = NULL;
}

void omt_session_clear(omt_session *session, bool all)
{
	const bool keep = session->board.settings.keep > 0;
	omt_board_unload(&session->board);
	drop(&session->files[0], unlink, keep);
	drop(&session->files[1], unlink, keep);
	drop(&session->binary_folder, rmdir, keep);
	if (!all)
		return;
	/* <run>/.run/<pid>/sw_emu/device0: other devices' folders keep their parents. */
	char *folder = session->device_folder;
	for (int level = 0; folder && *folder && !keep && level < 4; level++) {
		rmdir(folder);
		dirname(folder);
	}
	free(session->device_folder);
	session->device_folder = NULL;
}

static omt_status load_memory(omt_board *board, const Omt__LoadBitstream *load, omt_error *err)
{
	uint64_t banks[OMT_BOARD_BANKS], sum = 0;
	for (size_t i = 0; i < load->n_banks && i < OMT_BOARD_BANKS; i++)
		sum += banks[i] = load->banks[i]->bytes;
	if (board->memory.data && board->memory.bank_count == load->n_banks &&
	    board->memory.bytes == sum)
		return OMT_OK; /* buffers outlive containers */
	omt_board_memory_close(&board->memory);
	return omt_board_memory_open(&board->memory, banks, load->n_banks, err);
}

/* An empty path of the XML: a card without a container, the host wants its memory. */
static omt_status load_container(omt_session *session, omt_error *err)
{
	omt_status status = OMT_OK;
	omt_design *design = NULL;
	size_t bytes;
	char *text = NULL;
	if (!*session->files[0])
		return OMT_OK;
	OMT_GOTO(omt_file_read(session->files[0], XML_LIMIT, &text, &bytes, err));
	design = malloc(sizeof *design);
	if (!design) {
		status = OMT_FAIL(err, NO_MEMORY, "no memory for a container");
		goto done;
	}
	OMT_GOTO(omt_design_read(session->files[0], text, bytes, design, err));
	status = omt_board_load(&session->board, design, session->files[1], err);
	design = NULL;
done:
	free(design);
	free(text);
	return status;
}

static omt_status load_bitstream(omt_session *session, const omt_frame_buffer *call,
                                 omt_frame_buffer *reply, omt_error *err)
{
	omt_status status = OMT_OK;
	Omt__LoadBitstream *load = UNPACK(load_bitstream, call);
	(void)reply;
	if (!load)
		return malformed(err);
	omt_session_clear(session, false);
	free(session->device_folder);
	session->files[0] = path_of(load->xml_path);
	session->files[1] = path_of(load->library_path);
	session->binary_folder = path_of(load->binary_folder);
	session->device_folder = path_of(load->device_folder);
	if (!session->files[0] || !session->files[1])
		status = malformed(err);
	else if (session->refusal)
		status = OMT_FAIL(err, BAD_ARGUMENT, "%s", session->refusal);
	if (!status)
		status = load_memory(&session->board, load, err);
	if (!status)
		status = load_container(session, err);
	FREE(load_bitstream, load);
	return status ? status : put_number(1, reply, err);
}

static omt_status alloc_buffer(omt_session *session, const omt_frame_buffer *call,
                               omt_frame_buffer *reply, omt_error *err)
{
	Omt__AllocBuffer *alloc = UNPACK(alloc_buffer, call);
	if (!alloc)
		return malformed(err);
	bool given = omt_board_alloc(&session->board, alloc->address, alloc->bytes);
	FREE(alloc_buffer, alloc);
	return put_number(given, reply, err);
}

static omt_status free_buffer(omt_session *session, const omt_frame_buffer *call,
                              omt_frame_buffer *reply, omt_error *err)
{
	Omt__FreeBuffer *message = UNPACK(free_buffer, call);
	if (!message)
		return malformed(err);
	/* What is left of a failed allocation. */
	bool nothing = session->board.void_at_0 && !message->address;
	omt_status status =
		nothing ? OMT_OK
			: omt_board_memory_free(&session->board.memory, message->address, err);
	FREE(free_buffer, message);
	return status ? status : put_number(1, reply, err);
}

static omt_status write_buffer(omt_session *session, const omt_frame_buffer *call,
                               omt_frame_buffer *reply, omt_error *err)
{
	Omt__WriteBuffer *message = UNPACK(write_buffer, call);
	if (!message)
		return malformed(err);
	const uint64_t bytes = message->data.len;
	omt_status status = omt_board_copy(&session->board, true, message->address,
	                                   message->data.data, bytes, err);
	FREE(write_buffer, message);
	return status ? status : put_number(bytes, reply, err);
}

static omt_status read_buffer(omt_session *session, const omt_frame_buffer *call,
                              omt_frame_buffer *reply, omt_error *err)
{
	Omt__ReadBuffer *message = UNPACK(read_buffer, call);
	Omt__ReadBufferReply data = OMT__READ_BUFFER_REPLY__INIT;
	omt_error why;
	if (!message)
		return malformed(err);
	/* The host sent as many bytes as it wants: room for them. */
	data.data = message->unused;
	data.bytes = data.data.len;
	if (omt_board_copy(&session->board, false, message->address, data.data.data, data.bytes,
	                   &why))
		omt_board_say("a copy from the card: %s", why.text);
	omt_status status = put(&data.base, reply, err);
	FREE(read_buffer, message);
	return status;
}

static omt_status write_words(omt_session *session, uint64_t address, ProtobufCBinaryData data,
                              omt_error *err)
{
	uint32_t offset = 0;
	omt_unit *unit = omt_board_unit(&session->board, address, &offset);
	if (!unit)
		return OMT_FAIL(err, BAD_ARGUMENT, "no compute unit at 0x%llx",
		                (unsigned long long)address);
	return omt_board_write(&session->board, unit, offset, data.data, data.len, err);
}

static omt_status read_word(omt_session *session, uint64_t address, omt_frame_buffer *reply,
                            omt_error *err)
{
	Omt__ReadControlReply word = OMT__READ_CONTROL_REPLY__INIT;
	uint32_t offset = 0, value;
	omt_unit *unit = omt_board_unit(&session->board, address, &offset);
	if (!unit || offset % 4)
		return OMT_FAIL(err, BAD_ARGUMENT, "no register at 0x%llx",
		                (unsigned long long)address);
	value = omt_board_read(&session->board, unit, offset);
	word.valid = true;
	word.has_data = true;
	word.data = (ProtobufCBinaryData){sizeof value, (uint8_t *)&value};
	return put(&word.base, reply, err);
}

static omt_status write_control(omt_session *session, const omt_frame_buffer *call,
                                omt_frame_buffer *reply, omt_error *err)
{
	Omt__WriteControl *message = UNPACK(write_control, call);
	if (!message)
		return malformed(err);
	omt_status status = write_words(session, message->address, message->data, err);
	FREE(write_control, message);
	return status ? status : put_number(1, reply, err);
}

static omt_status read_control(omt_session *session, const omt_frame_buffer *call,
                               omt_frame_buffer *reply, omt_error *err)
{
	Omt__ReadControl *message = UNPACK(read_control, call);
	if (!message)
		return malformed(err);
	const uint64_t address = message->address;
	FREE(read_control, message);
	return read_word(session, address, reply, err);
}

static omt_status write_register(omt_session *session, const omt_frame_buffer *call,
                                 omt_frame_buffer *reply, omt_error *err)
{
	Omt__WriteRegister *message = UNPACK(write_register, call);
	if (!message)
		return malformed(err);
	omt_status status =
		write_words(session, (uint64_t)message->unit + message->offset, message->data, err);
	FREE(write_register, message);
	return status ? status : put_number(1, reply, err);
}

static omt_status read_register(omt_session *session, const omt_frame_buffer *call,
                                omt_frame_buffer *reply, omt_error *err)
{
	Omt__ReadRegister *message = UNPACK(read_register, call);
	if (!message)
		return malformed(err);
	const uint64_t address = (uint64_t)message->unit + message->offset;
	FREE(read_register, message);
	return read_word(session, address, reply, err);
}

static omt_status setup_instance(omt_session *session, const omt_frame_buffer *call,
                                 omt_frame_buffer *reply, omt_error *err)
{
	Omt__SetupInstance *message = UNPACK(setup_instance, call);
	(void)session;
	if (!message)
		return malformed(err);
	size_t streams = message->n_streams;
	FREE(setup_instance, message);
	if (streams)
		return OMT_FAIL(err, UNSUPPORTED, "%zu streams between host and kernels", streams);
	return put_number(1, reply, err);
}

static omt_status timestamp(omt_session *session, const omt_frame_buffer *call,
                            omt_frame_buffer *reply, omt_error *err)
{
	(void)session;
	(void)call;
	return put_number((uint64_t)(1e9 * omt_now_s()), reply, err);
}

static omt_status agree(omt_session *session, const omt_frame_buffer *call, omt_frame_buffer *reply,
                        omt_error *err)
{
	(void)session;
	(void)call;
	return put_number(1, reply, err);
}

/* Before each container with all = false, which keeps the process; at the end with true. */
static omt_status close_card(omt_session *session, const omt_frame_buffer *call,
                             omt_frame_buffer *reply, omt_error *err)
{
	Omt__Close *message = UNPACK(close, call);
	if (!message)
		return malformed(err);
	session->closing = message->has_all && message->all;
	FREE(close, message);
	omt_session_clear(session, session->closing);
	return put_number(1, reply, err);
}

/* What refuses a call: number 0 in field 1, where almost every reply has its verdict, or nothing,
 * where all fields may be absent. */
enum { ZERO, EMPTY };

static const struct call {
	uint32_t api; /* XRT's number */
	const char *name;
	int refusal;
	omt_status (*answer)(omt_session *session, const omt_frame_buffer *call,
	                     omt_frame_buffer *reply, omt_error *err); /* NULL: always refused */
} calls[] = {
	{1, "Close", ZERO, close_card},
	{3, "LoadBitstream", ZERO, load_bitstream},
	{4, "AllocDeviceBuffer", ZERO, alloc_buffer},
	{5, "FreeDeviceBuffer", ZERO, free_buffer},
	{6, "CopyBufferHost2Device", ZERO, write_buffer},
	{7, "CopyBufferDevice2Host", ZERO, read_buffer},
	{9, "WriteAddrKernelCtrl", ZERO, write_control},
	{11, "ReadAddrKernelCtrl", ZERO, read_control},
	{14, "PerfMonReadCounters", EMPTY, NULL},
	{15, "PerfMonGetTraceCount", EMPTY, NULL},
	{16, "PerfMonReadTrace", EMPTY, NULL},
	{17, "GetDeviceTimestamp", ZERO, timestamp},
	{18, "ReadBusStatus", EMPTY, NULL},
	{19, "GetDebugMessages", EMPTY, NULL},
	{20, "SetEnvironment", ZERO, agree},
	{22, "CopyBO", ZERO, NULL},
	{23, "CreateQueue", ZERO, NULL},
	{24, "WriteQueue", ZERO, NULL},
	{25, "ReadQueue", EMPTY, NULL},
	{26, "DestroyQueue", ZERO, NULL},
	{27, "ImportBO", ZERO, NULL},
	{28, "SetupInstance", ZERO, setup_instance},
	{29, "PollCompletion", EMPTY, NULL},
	{32, "PerfMonReadCounters_Streaming", EMPTY, NULL},
	{33, "PerfMonReadTrace_Streaming", EMPTY, NULL},
	{50, "CopyBOFromFd", ZERO, NULL},
	{51, "RegWrite", ZERO, write_register},
	{52, "RegRead", ZERO, read_register},
	{53, "swemuDriverVersion", ZERO, agree}, /* of later versions */
};

omt_status omt_call_answer(omt_session *session, uint32_t api, const omt_frame_buffer *call,
                           omt_frame_buffer *reply, omt_error *err)
{
	static const struct call unknown = {0, "unknown", ZERO, NULL};
	const struct call *found = &unknown;
	omt_error why;
	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (calls[i].api == api)
			found = &calls[i];
	if (found->answer && found->answer(session, call, reply, &why) == OMT_OK)
		return OMT_OK;
	omt_board_say("call %u (%s) is refused: %s", api, found->name,
	              found->answer ? why.text : "a device process of this kind has no such thing");
	if (found->refusal == ZERO)
		return put_number(0, reply, err);
	return omt_frame_resize(reply, 0, err);
}
