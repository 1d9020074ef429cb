// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "console.h"
#include "input.h"
#include "record.h"
#include "talk.h"

#define SOCKET_PATH RUN_DIRECTORY "/attach.sock"
#define MOST_CLIENTS 16
#define HEADER 5
#define FRAME_BYTES 16384U
#define QUEUE_BYTES (512UL * 1024)

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
	size_t count;
	struct client *clients[MOST_CLIENTS];
} console = { .listener = -1 };

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

bool console_open(bool single, struct console_ends *ends)
{
	const char *wish = getenv("TRANSHIP_CONSOLE");

	*ends = (struct console_ends){ -1, -1 };
	if (!wish || !*wish)
		return false;
	if (single && strcmp(wish, "terminal") == 0 && !input_terminal(ends))
		return false;
	if (single && strcmp(wish, "input") == 0 && !input_pipe(ends))
		return false;
	console.listener = listen_here();
	return true;
}

int console_terminal(void)
{
	return input_screen();
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
		put(console.clients[i], input_screen() >= 0 ? 1 : stream, p,
		    n);
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
	if (p[0] == FROM_INPUT && input_fd() >= 0) {
		if (!input_room(n))
			return 0;
		input_add(p + HEADER, n);
	} else if (p[0] == FROM_SIZE) {
		input_resize(p + HEADER, n);
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
	input_flush();
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
	if (input_pending() && n < room)
		fds[n++] = (struct pollfd){ .fd = input_fd(),
					    .events = POLLOUT };
	for (size_t i = 0; i < console.count && n < room; i++) {
		const struct client *c = console.clients[i];
		short events = c->queued > 0 ? POLLOUT : 0;

		/* Who types faster than the program reads has to wait. */
		if (input_room(FRAME_BYTES) && c->used < sizeof(c->got))
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
		if (fds[k].fd == input_fd()) {
			input_flush();
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
