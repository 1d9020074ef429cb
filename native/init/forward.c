// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forward.h"

#define QUEUE_MAX (256UL * 1024)

static enum { FORWARD_NO, FORWARD_WAIT, FORWARD_DROP } mode;

struct queue {
	int fd;
	bool socket;
	bool gone;		/* nobody reads any more */
	size_t used;
	unsigned long dropped;
	char *bytes;
};

static struct queue queues[2];

static void open_queue(struct queue *q, int fd)
{
	char path[32];
	struct stat st;

	q->fd = fd;
	if (fstat(fd, &st) < 0) {
		q->gone = true;
		return;
	}
	q->socket = S_ISSOCK(st.st_mode);
	/* A description of our own, so that O_NONBLOCK is nobody else's. A
	 * regular file never blocks and would lose its offset. */
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		q->fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC |
			     O_NOCTTY);
		if (q->fd < 0)
			q->fd = fd;
	}
}

void forward_open(bool single, bool to_file)
{
	const char *wish = getenv("TRANSHIP_LOG_FORWARD");

	if (!to_file)
		mode = FORWARD_WAIT;
	else if (!wish || !*wish || strcmp(wish, "0") == 0)
		mode = FORWARD_NO;
	else if (strcmp(wish, "wait") == 0)
		mode = FORWARD_WAIT;
	else if (strcmp(wish, "drop") == 0)
		mode = FORWARD_DROP;
	else
		mode = single ? FORWARD_WAIT : FORWARD_DROP;
	if (mode != FORWARD_NO) {
		open_queue(&queues[0], STDOUT_FILENO);
		open_queue(&queues[1], STDERR_FILENO);
	}
}

bool forward_on(void)
{
	return mode != FORWARD_NO;
}

void forward_add(int stream, const char *p, size_t n)
{
	struct queue *q = &queues[stream - 1];
	char note[80];
	int length;

	if (mode == FORWARD_NO || q->gone)
		return;
	if (!q->bytes)
		q->bytes = malloc(QUEUE_MAX + FORWARD_PIECE);
	if (!q->bytes)
		return;
	if (q->used + n > QUEUE_MAX + FORWARD_PIECE || (q->used > QUEUE_MAX &&
	    mode == FORWARD_DROP)) {
		q->dropped++;
		return;
	}
	if (q->dropped > 0 && q->used < QUEUE_MAX / 2) {
		length = snprintf(note, sizeof(note), "tranship: %lu pieces "
				  "of output not shown\n", q->dropped);
		memcpy(q->bytes + q->used, note, (size_t)length);
		q->used += (size_t)length;
		q->dropped = 0;
	}
	if (q->used + n > QUEUE_MAX + FORWARD_PIECE) {
		q->dropped++;
		return;
	}
	memcpy(q->bytes + q->used, p, n);
	q->used += n;
}

static void send_queue(struct queue *q)
{
	while (q->used > 0 && !q->gone) {
		ssize_t n = q->socket ?
			send(q->fd, q->bytes, q->used, MSG_DONTWAIT |
			     MSG_NOSIGNAL) :
			write(q->fd, q->bytes, q->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			q->gone = true;
			q->used = 0;
			return;
		}
		q->used -= (size_t)n;
		memmove(q->bytes, q->bytes + n, q->used);
	}
}

void forward_send(void)
{
	send_queue(&queues[0]);
	send_queue(&queues[1]);
}

bool forward_gone(int stream)
{
	return queues[stream - 1].gone;
}

bool forward_full(int stream)
{
	return mode == FORWARD_WAIT && !queues[stream - 1].gone &&
		queues[stream - 1].used > QUEUE_MAX;
}

bool forward_pending(void)
{
	int i;

	if (mode != FORWARD_WAIT)
		return false;
	for (i = 0; i < 2; i++)
		if (queues[i].used > 0 && !queues[i].gone)
			return true;
	return false;
}

size_t forward_poll(struct pollfd *fds, size_t room)
{
	size_t n = 0;
	int i;

	for (i = 0; i < 2 && n < room; i++) {
		struct queue *q = &queues[i];

		if (mode != FORWARD_NO && q->used > 0 && !q->gone)
			fds[n++] = (struct pollfd){ .fd = q->fd,
						    .events = POLLOUT };
	}
	return n;
}
