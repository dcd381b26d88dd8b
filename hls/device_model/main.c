/* genericpciemodel - the process that XRT's software emulation starts as the card (README.md). */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "hls/device_model/calls.h"

enum { PATIENCE_MS = 60000, STEP_MS = 10, LOOK_MS = 500 };

/* Where the shim listens: /tmp/$USER/$EMULATION_SOCKETID, as it builds the name itself. */
static omt_status address_of_host(struct sockaddr_un *address, omt_error *err)
{
	const char *user = getenv("USER"), *id = getenv("EMULATION_SOCKETID");
	int length;
	address->sun_family = AF_UNIX;
	if (user)
		length = snprintf(address->sun_path, sizeof address->sun_path, "/tmp/%s/%s", user,
		                  id ? id : "xcl_sock");
	else
		length = snprintf(address->sun_path, sizeof address->sun_path, "/tmp/xcl_sock");
	if (length < 0 || (size_t)length >= sizeof address->sun_path)
		return OMT_FAIL(err, BAD_ARGUMENT, "the socket's name is too long (USER is %s)",
		                user);
	return OMT_OK;
}

/* The host forks first and listens a moment later. */
static omt_status connect_host(pid_t host, int *fd, omt_error *err)
{
	struct sockaddr_un address = {0};
	OMT_TRY(address_of_host(&address, err));
	for (int waited = 0; waited < PATIENCE_MS && getppid() == host; waited += STEP_MS) {
		*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (*fd < 0)
			break;
		if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0) {
			unlink(address.sun_path); /* the shim leaves it */
			return OMT_OK;
		}
		close(*fd);
		nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
	}
	return OMT_FAIL(err, IO, "%s: no host listens there", address.sun_path);
}

/* Faults that the settings ask for at this call; false: the connection is gone. */
static bool survive(omt_session *session, uint64_t number)
{
	const omt_model_settings *settings = &session->board.settings;
	if (number == settings->die) {
		omt_board_say("dies at call %llu, as settings ask", (unsigned long long)number);
		raise(SIGKILL);
	}
	if (number == settings->lost)
		omt_board_lose(&session->board);
	if (number == settings->disconnect)
		omt_board_say("closes the connection at call %llu, as settings ask",
		              (unsigned long long)number);
	return number != settings->disconnect;
}

/* Waits for the host or a unit; units' news are taken at once. False: the host is gone. */
static bool wait_for_call(omt_session *session, pid_t host)
{
	struct pollfd fds[1 + OMT_DESIGN_UNITS];
	omt_unit *units[1 + OMT_DESIGN_UNITS];
	omt_board *board = &session->board;
	for (;;) {
		nfds_t count = 0;
		fds[count++] = (struct pollfd){.fd = board->host, .events = POLLIN};
		for (size_t i = 0; i < board->unit_count; i++)
			if (board->units[i].child > 0) {
				units[count] = &board->units[i];
				fds[count++] = (struct pollfd){.fd = board->units[i].orders,
				                               .events = POLLIN};
			}
		/* A host that was killed may leave its socket to children of its own. */
		if (poll(fds, count, LOOK_MS) < 0 && errno != EINTR)
			return false;
		if (getppid() != host)
			return false;
		for (nfds_t i = 1; i < count; i++)
			if (fds[i].revents)
				omt_board_land(board, units[i]);
		if (fds[0].revents)
			return true;
	}
}

static omt_status serve(omt_session *session, pid_t host, omt_error *err)
{
	omt_frame_buffer call = {0}, reply = {0};
	omt_status status = OMT_OK;
	uint32_t api = 0;
	bool open = true;
	for (uint64_t number = 1; !session->closing; number++) {
		if (!wait_for_call(session, host))
			break;
		OMT_GOTO(omt_frame_read(session->board.host, &api, &call, &open, err));
		if (!open || !survive(session, number))
			break;
		OMT_GOTO(omt_call_answer(session, api, &call, &reply, err));
		OMT_GOTO(omt_frame_write(session->board.host, reply.data, reply.bytes, err));
	}
done:
	free(call.data);
	free(reply.data);
	return status;
}

/* Signals to the host's process group (Ctrl-C, `timeout`, a closed terminal) are the host's to
 * heed: the card ends with it. Were it to end first, the shim would end the host at once. */
static void leave_signals(void)
{
	static const int numbers[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		signal(numbers[i], SIG_IGN);
}

int main(void)
{
	static omt_session session;
	const pid_t host = getppid();
	omt_error err, wrong;
	leave_signals();
	/* Settings that are wrong must not leave the host waiting for a connection: the container
	 * is refused. */
	if (omt_model_settings_load(&session.board.settings, &wrong))
		session.refusal = wrong.text;
	session.board.memory.fd = -1;
	omt_status status = connect_host(host, &session.board.host, &err);
	if (!status) {
		status = serve(&session, host, &err);
		omt_board_log_link(&session.board);
	}
	omt_session_clear(&session, true);
	omt_board_memory_close(&session.board.memory);
	if (status)
		omt_board_say("%s", err.text);
	return status ? 1 : 0;
}
