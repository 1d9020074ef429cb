// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "input.h"
#include "talk.h"

#define INPUT_BYTES (64U * 1024)

static struct {
	int terminal;		/* our side; -1: none */
	int input;		/* the same, or the pipe; -1: nothing is typed */
	size_t typed;
	char keys[INPUT_BYTES];	/* typed, and not taken yet */
} program = { .terminal = -1, .input = -1 };

bool input_terminal(struct console_ends *ends)
{
	const struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	if (ours < 0 || grantpt(ours) < 0 || unlockpt(ours) < 0 ||
	    ptsname_r(ours, name, sizeof(name)) != 0)
		goto failed;
	ends->terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends->terminal < 0)
		goto failed;
	ioctl(ours, TIOCSWINSZ, &size);
	fcntl(ours, F_SETFL, O_NONBLOCK);
	program.terminal = ours;
	program.input = fcntl(ours, F_DUPFD_CLOEXEC, 3);
	return true;
failed:
	complain("cannot make a terminal: %s", strerror(errno));
	if (ours >= 0)
		close(ours);
	return false;
}

bool input_pipe(struct console_ends *ends)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	ends->in = fds[0];
	program.input = fds[1];
	return true;
}

int input_screen(void)
{
	return program.terminal;
}

int input_fd(void)
{
	return program.input;
}

bool input_pending(void)
{
	return program.typed > 0 && program.input >= 0;
}

bool input_room(size_t n)
{
	return program.input < 0 || program.typed + n <= sizeof(program.keys);
}

void input_add(const unsigned char *p, size_t n)
{
	memcpy(program.keys + program.typed, p, n);
	program.typed += n;
}

void input_flush(void)
{
	while (program.typed > 0 && program.input >= 0) {
		ssize_t n = write(program.input, program.keys, program.typed);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {	/* the program reads no more */
			program.typed = 0;
			return;
		}
		program.typed -= (size_t)n;
		memmove(program.keys, program.keys + n, program.typed);
	}
}

void input_resize(const unsigned char *p, size_t n)
{
	struct winsize size = { 0 };

	if (n != 4 || program.terminal < 0)
		return;
	size.ws_row = (unsigned short)(p[0] | p[1] << 8);
	size.ws_col = (unsigned short)(p[2] | p[3] << 8);
	ioctl(program.terminal, TIOCSWINSZ, &size);
}
