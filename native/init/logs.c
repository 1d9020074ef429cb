// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"
#include "forward.h"
#include "log-file.h"
#include "logs.h"

#define LINE_MAX_BYTES FORWARD_PIECE
#define ROUNDS 16		/* reads of one source before others have a turn */

struct log_source {
	struct log_source *next;
	int fd;			/* -1: ended */
	int stream;
	size_t used;
	log_listener *listener;
	void *data;
	char service[64];
	char line[LINE_MAX_BYTES + 1];
};

static struct log_source *sources;

bool logs_open(const struct plan *plan, bool single)
{
	bool to_file = log_file_open(plan);

	forward_open(single, to_file);
	return to_file;
}

bool logs_to_file(void)
{
	return log_file_is_open();
}

bool logs_forwarded(void)
{
	return forward_on();
}

struct log_source *logs_add(const char *service, int stream, int *write_fd)
{
	struct log_source *s = calloc(1, sizeof(*s));
	int fds[2];

	if (!s || pipe2(fds, O_CLOEXEC) < 0) {
		free(s);
		return NULL;
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	s->fd = fds[0];
	s->stream = stream;
	snprintf(s->service, sizeof(s->service), "%s", service);
	*write_fd = fds[1];
	s->next = sources;
	sources = s;
	return s;
}

struct log_source *logs_add_terminal(const char *service, int fd)
{
	struct log_source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = fd;
	s->stream = 1;
	snprintf(s->service, sizeof(s->service), "%s", service);
	s->next = sources;
	sources = s;
	return s;
}

void logs_listen(struct log_source *s, log_listener *listener, void *data)
{
	s->listener = listener;
	s->data = data;
}

void logs_deaf(const void *data)
{
	struct log_source *s;

	for (s = sources; s; s = s->next)
		if (s->data == data)
			s->listener = NULL;
}

static void emit(struct log_source *s, char *line, size_t n)
{
	char kept;

	if (log_file_wanted())
		log_file_add(s->service, s->stream, line, n);
	if (!s->listener)
		return;
	n -= n > 0 && line[n - 1] == '\n';
	kept = line[n];
	line[n] = 0;
	s->listener(s->data, line);
	line[n] = kept;
}

/* Where to cut a full buffer without cutting a character. */
static size_t boundary(const char *line, size_t n)
{
	size_t back;

	for (back = 1; back < 4 && back < n; back++) {
		unsigned char ch = (unsigned char)line[n - back];

		if ((ch & 0xc0) == 0x80)
			continue;
		if (ch >= 0xf0 ? back < 4 : ch >= 0xe0 ? back < 3 :
		    ch >= 0xc0 && back < 2)
			return n - back;
		break;
	}
	return n;
}

static void split_lines(struct log_source *s, bool ended)
{
	size_t start = 0;

	for (;;) {
		char *end = memchr(s->line + start, '\n', s->used - start);
		size_t n;

		if (!end)
			break;
		n = (size_t)(end - s->line) + 1 - start;
		emit(s, s->line + start, n);
		start += n;
	}
	if (start == 0 && s->used == LINE_MAX_BYTES) {
		start = boundary(s->line, s->used);
		emit(s, s->line, start);
	}
	if (ended && s->used > start) {
		emit(s, s->line + start, s->used - start);
		start = s->used;
	}
	s->used -= start;
	memmove(s->line, s->line + start, s->used);
}

static void read_source(struct log_source *s, int rounds)
{
	while (rounds-- > 0 && s->fd >= 0 && !forward_full(s->stream)) {
		ssize_t n = read(s->fd, s->line + s->used,
				 LINE_MAX_BYTES - s->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n > 0) {
			forward_add(s->stream, s->line + s->used, (size_t)n);
			console_output(s->stream, s->line + s->used,
				       (size_t)n);
			s->used += (size_t)n;
		}
		split_lines(s, n <= 0);
		if (n <= 0) {
			close(s->fd);
			s->fd = -1;
		}
	}
}

static void remove_ended(void)
{
	struct log_source **at = &sources, *s;

	while ((s = *at)) {
		if (s->fd >= 0) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		free(s);
	}
}

size_t logs_poll(struct pollfd *fds, size_t room)
{
	size_t n = forward_poll(fds, room);
	struct log_source *s;

	for (s = sources; s && n < room; s = s->next)
		if (s->fd >= 0 && !forward_full(s->stream))
			fds[n++] = (struct pollfd){ .fd = s->fd,
						    .events = POLLIN };
	return n;
}

void logs_handle(const struct pollfd *fds, size_t count)
{
	struct log_source *s;
	size_t i;

	for (i = 0; i < count; i++) {
		if (!fds[i].revents || fds[i].events != POLLIN)
			continue;
		for (s = sources; s; s = s->next) {
			if (s->fd != fds[i].fd)
				continue;
			read_source(s, ROUNDS);
			break;
		}
	}
	log_file_flush();
	forward_send();
	remove_ended();
}

void logs_line(const char *service, const char *line)
{
	size_t n = strlen(line);

	if (!log_file_is_open())
		return;
	log_file_add(service, 2, line, n);
	log_file_flush();
}

void logs_drain(void)
{
	struct log_source *s;

	/* Bounded: a survivor may write for ever. */
	for (s = sources; s; s = s->next) {
		read_source(s, 1024);
		split_lines(s, !forward_full(s->stream));
	}
	log_file_flush();
	forward_send();
	remove_ended();
}

bool logs_pending(void)
{
	return forward_pending();
}

void logs_close_unread(void)
{
	struct log_source *s;

	if (!forward_on())
		return;
	for (s = sources; s; s = s->next) {
		if (s->fd < 0 || !forward_gone(s->stream))
			continue;
		split_lines(s, true);
		close(s->fd);
		s->fd = -1;
	}
	log_file_flush();
	remove_ended();
}
