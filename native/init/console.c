// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "record.h"
#include "talk.h"

#define SOCKET_PATH RUN_DIRECTORY "/attach.sock"
#define MOST_CLIENTS 16
#define HEADER 5
#define FRAME_BYTES 16384U
#define QUEUE_BYTES (512U * 1024)
#define INPUT_BYTES (64U * 1024)

enum { FROM_INPUT = 0, FROM_SIZE = 2 };
enum { TO_END = 3 };		/* 1 and 2 are the streams */

struct client {
	int fd;
	size_t used;		/* of @got */
	unsigned char got[HEADER + FRAME_BYTES];
	size_t queued;
	char *queue;
};

static struct {
	int listener;
	int terminal;		/* our side; -1: none */
	int input;		/* the same, or the pipe; -1: nothing is typed */
	size_t typed;
	char keys[INPUT_BYTES];	/* typed, and not taken yet */
	size_t count;
	struct client *clients[MOST_CLIENTS];
} console = { .listener = -1, .terminal = -1, .input = -1 };

static int listen_here(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = SOCKET_PATH };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask = umask(0177);
	bool done;

	unlink(SOCKET_PATH);
	done = fd >= 0 && bind(fd, (struct sockaddr *)&address,
			       sizeof(address)) == 0 && listen(fd, 4) == 0;
	umask(mask);
	if (done)
		return fd;
	debug("no console: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static bool open_terminal(struct console_ends *ends)
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
	console.terminal = ours;
	console.input = fcntl(ours, F_DUPFD_CLOEXEC, 3);
	return true;
failed:
	complain("cannot make a terminal: %s", strerror(errno));
	if (ours >= 0)
		close(ours);
	return false;
}

static bool open_input(struct console_ends *ends)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return false;
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	ends->in = fds[0];
	console.input = fds[1];
	return true;
}

bool console_open(bool single, struct console_ends *ends)
{
	const char *wish = getenv("TRANSHIP_CONSOLE");

	*ends = (struct console_ends){ -1, -1 };
	if (!wish || !*wish)
		return false;
	if (single && strcmp(wish, "terminal") == 0 && !open_terminal(ends))
		return false;
	if (single && strcmp(wish, "input") == 0 && !open_input(ends))
		return false;
	console.listener = listen_here();
	return true;
}

int console_terminal(void)
{
	return console.terminal;
}

void console_started(struct console_ends *ends)
{
	/* The terminal's other end stays open: a program that closes all of
	 * its own may open it again. */
	if (ends->in >= 0)
		close(ends->in);
	ends->in = -1;
}

static void drop(size_t i)
{
	struct client *c = console.clients[i];

	close(c->fd);
	free(c->queue);
	free(c);
	console.clients[i] = console.clients[--console.count];
}

static void send_queue(struct client *c)
{
	ssize_t n = send(c->fd, c->queue, c->queued, MSG_DONTWAIT |
			 MSG_NOSIGNAL);

	if (n <= 0)
		return;
	c->queued -= (size_t)n;
	memmove(c->queue, c->queue + n, c->queued);
}

/* A frame goes whole or not at all. */
static void put(struct client *c, int type, const char *p, size_t n)
{
	unsigned char *to;

	if (c->queued + HEADER + n > QUEUE_BYTES)
		return;		/* it does not read: this it does not see */
	to = (unsigned char *)c->queue + c->queued;
	to[0] = (unsigned char)type;
	for (int i = 0; i < 4; i++)
		to[1 + i] = (unsigned char)(n >> (8 * i));
	memcpy(to + HEADER, p, n);
	c->queued += HEADER + n;
	send_queue(c);
}

void console_output(int stream, const char *p, size_t n)
{
	for (size_t i = 0; i < console.count; i++)
		put(console.clients[i], console.terminal >= 0 ? 1 : stream, p,
		    n);
}

static void take_keys(void)
{
	while (console.typed > 0 && console.input >= 0) {
		ssize_t n = write(console.input, console.keys, console.typed);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {	/* the program reads no more */
			console.typed = 0;
			return;
		}
		console.typed -= (size_t)n;
		memmove(console.keys, console.keys + n, console.typed);
	}
}

static void resize(const unsigned char *p, size_t n)
{
	struct winsize size = { 0 };

	if (n != 4 || console.terminal < 0)
		return;
	size.ws_row = (unsigned short)(p[0] | p[1] << 8);
	size.ws_col = (unsigned short)(p[2] | p[3] << 8);
	ioctl(console.terminal, TIOCSWINSZ, &size);
}

static bool room_for(size_t n)
{
	return console.input < 0 || console.typed + n <= sizeof(console.keys);
}

/* take_frame() - Return: its size with the header; 0: not whole, or no room
 * yet; -1: none of ours */
static long take_frame(const unsigned char *p, size_t have)
{
	size_t n;

	if (have < HEADER)
		return 0;
	n = p[1] | (size_t)p[2] << 8 | (size_t)p[3] << 16 | (size_t)p[4] << 24;
	if (n > FRAME_BYTES)
		return -1;
	if (have < HEADER + n)
		return 0;
	if (p[0] == FROM_INPUT && console.input >= 0) {
		if (!room_for(n))
			return 0;
		memcpy(console.keys + console.typed, p + HEADER, n);
		console.typed += n;
	} else if (p[0] == FROM_SIZE) {
		resize(p + HEADER, n);
	}
	return (long)(HEADER + n);
}

/* hear() - Return: whether it is still there */
static bool hear(struct client *c)
{
	ssize_t n = recv(c->fd, c->got + c->used, sizeof(c->got) - c->used,
			 MSG_DONTWAIT);
	size_t start = 0;
	long size;

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return false;
	if (n > 0)
		c->used += (size_t)n;
	while ((size = take_frame(c->got + start, c->used - start)) > 0)
		start += (size_t)size;
	c->used -= start;
	memmove(c->got, c->got + start, c->used);
	take_keys();
	return size == 0;
}

static void welcome(void)
{
	int fd = accept4(console.listener, NULL, NULL, SOCK_CLOEXEC |
			 SOCK_NONBLOCK);
	struct client *c;

	if (fd < 0)
		return;
	c = console.count < MOST_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (c)
		c->queue = malloc(QUEUE_BYTES);
	if (!c || !c->queue) {
		free(c);
		close(fd);
		return;
	}
	c->fd = fd;
	console.clients[console.count++] = c;
}

size_t console_poll(struct pollfd *fds, size_t room)
{
	size_t n = 0;

	if (console.listener >= 0 && n < room)
		fds[n++] = (struct pollfd){ .fd = console.listener,
					    .events = POLLIN };
	if (console.typed > 0 && console.input >= 0 && n < room)
		fds[n++] = (struct pollfd){ .fd = console.input,
					    .events = POLLOUT };
	for (size_t i = 0; i < console.count && n < room; i++) {
		const struct client *c = console.clients[i];
		short events = c->queued > 0 ? POLLOUT : 0;

		/* Who types faster than the program reads has to wait. */
		if (room_for(FRAME_BYTES) && c->used < sizeof(c->got))
			events |= POLLIN;
		fds[n++] = (struct pollfd){ .fd = c->fd, .events = events };
	}
	return n;
}

static size_t client_of(int fd)
{
	size_t i;

	for (i = 0; i < console.count; i++)
		if (console.clients[i]->fd == fd)
			break;
	return i;
}

void console_handle(const struct pollfd *fds, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		size_t i;

		if (!fds[k].revents)
			continue;
		if (fds[k].fd == console.listener) {
			welcome();
			continue;
		}
		if (fds[k].fd == console.input) {
			take_keys();
			continue;
		}
		i = client_of(fds[k].fd);
		if (i == console.count)
			continue;
		if (fds[k].revents & POLLOUT)
			send_queue(console.clients[i]);
		if ((fds[k].revents & ~POLLOUT) && !hear(console.clients[i]))
			drop(i);
	}
}

void console_end(int status)
{
	const struct timeval wait = { .tv_sec = 1 };
	char text[4];

	for (int i = 0; i < 4; i++)
		text[i] = (char)(status >> (8 * i));
	while (console.count > 0) {
		struct client *c = console.clients[0];

		put(c, TO_END, text, sizeof(text));
		fcntl(c->fd, F_SETFL, 0);
		setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
		if (c->queued > 0 && send(c->fd, c->queue, c->queued,
					  MSG_NOSIGNAL) < 0)
			debug("a client of the console did not hear the end");
		drop(0);
	}
	if (console.listener >= 0)
		unlink(SOCKET_PATH);
}
