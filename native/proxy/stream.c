// SPDX-License-Identifier: Apache-2.0
/*
 * Connections. Each has two ends and two ways; a way is a buffer that is read
 * from one end and written to the other. What an end is asked for follows from
 * the buffers: reading while the way from it has room, writing while the way to
 * it holds something. So neither side can make us keep more than two buffers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "die.h"
#include "proxy.h"

#define ROOM 16384

struct way {
	char buf[ROOM];
	size_t from, to;	/* what is in it */
	bool ended;		/* its reader has seen the end */
	bool told;		/* and its writer was told so */
};

struct connection;

struct end {
	struct source source;	/* first: the loop knows this part */
	struct connection *of;
	struct way *in, *out;	/* read into, written out of */
	uint32_t asked;
	bool hung;	/* closed for both directions: no longer polled */
};

struct connection {
	struct end ends[2];	/* who called, the instance */
	struct way ways[2];	/* from the first, from the second */
	bool connecting;
	bool dead;
	struct connection *next;
};

struct listener {
	struct source source;
	struct endpoint target;
};

/* Those that ended, until no event of this turn can name them any more. */
static struct connection *ended;

static void end_connection(struct connection *c)
{
	if (c->dead)
		return;
	c->dead = true;
	for (int i = 0; i < 2; i++)
		if (c->ends[i].source.fd >= 0)
			close(c->ends[i].source.fd);
	c->next = ended;
	ended = c;
}

void stream_sweep(void)
{
	while (ended) {
		struct connection *c = ended;

		ended = c->next;
		free(c);
	}
}

static bool is_empty(const struct way *w)
{
	return w->from == w->to;
}

/* fill() - Return: false where the connection is broken. */
static bool fill(struct end *e)
{
	struct way *w = e->in;
	ssize_t n;

	if (w->ended || !is_empty(w))
		return true;
	w->from = w->to = 0;
	n = recv(e->source.fd, w->buf, sizeof(w->buf), 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		w->ended = true;
	w->to = (size_t)n;
	return true;
}

static bool drain(struct end *e)
{
	struct way *w = e->out;

	if (e->hung) {
		/* Nobody is there to get it. */
		w->from = w->to = 0;
		w->told = w->ended;
		return true;
	}
	while (!is_empty(w)) {
		ssize_t n = send(e->source.fd, w->buf + w->from,
				 w->to - w->from, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		w->from += (size_t)n;
	}
	if (w->ended && !w->told) {
		w->told = true;
		shutdown(e->source.fd, SHUT_WR);
	}
	return true;
}

static void ask(struct end *e)
{
	uint32_t events = 0;

	if (e->hung)
		return;
	if (!e->in->ended && is_empty(e->in))
		events |= EPOLLIN;
	if (!is_empty(e->out) || (e->of->connecting && e == &e->of->ends[1]))
		events |= EPOLLOUT;
	if (events != e->asked)
		poll_set(&e->source, events);
	e->asked = events;
}

/* pass() - on, as far as it goes now. Return: false where that was all. */
static bool pass(struct connection *c)
{
	bool again;

	do {
		again = false;
		for (int i = 0; i < 2; i++) {
			struct end *from = &c->ends[i], *to = &c->ends[1 - i];
			bool waits = c->connecting && i == 1;

			if (!waits && !fill(from))
				return false;
			if (!c->connecting && !drain(to))
				return false;
			/* Gone, and what it said has been passed on. */
			if (from->hung && from->in->told)
				return false;
			/* No event will tell of what is still to be read. */
			again = again || (from->hung && !from->in->ended &&
					  is_empty(from->in));
		}
	} while (again);
	return !c->ways[0].told || !c->ways[1].told;
}

static void on_event(struct source *source, uint32_t events)
{
	struct end *e = (struct end *)(void *)source;
	struct connection *c = e->of;
	int error = 0;
	socklen_t size = sizeof(error);

	if (c->dead)
		return;
	if (c->connecting && e == &c->ends[1]) {
		if (getsockopt(e->source.fd, SOL_SOCKET, SO_ERROR, &error,
			       &size) < 0 || error) {
			end_connection(c);
			return;
		}
		if (!(events & EPOLLOUT))
			return;
		c->connecting = false;
	}
	if (events & EPOLLERR) {
		end_connection(c);
		return;
	}
	if (events & EPOLLHUP && !e->hung) {
		e->hung = true;
		poll_remove(&e->source);
	}
	if (!pass(c)) {
		end_connection(c);
		return;
	}
	ask(&c->ends[0]);
	ask(&c->ends[1]);
}

/* A connection that cannot be made is refused as the instance would: closed. */
static void open_connection(int fd, const struct endpoint *target)
{
	struct connection *c = calloc(1, sizeof(*c));
	int to = c ? socket(target->address.ss_family,
			    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) : -1;

	if (to < 0) {
		free(c);
		close(fd);
		return;
	}
	for (int i = 0; i < 2; i++) {
		c->ends[i] = (struct end){
			.source = { on_event, i == 0 ? fd : to },
			.of = c,
			.in = &c->ways[i],
			.out = &c->ways[1 - i],
		};
	}
	c->connecting = connect(to, (const struct sockaddr *)&target->address,
				target->length) < 0;
	if (c->connecting && errno != EINPROGRESS) {
		end_connection(c);
		return;
	}
	if (!poll_add(&c->ends[0].source, 0) ||
	    !poll_add(&c->ends[1].source, 0)) {
		end_connection(c);
		return;
	}
	ask(&c->ends[0]);
	ask(&c->ends[1]);
}

static void on_caller(struct source *source, uint32_t events)
{
	struct listener *l = (struct listener *)(void *)source;

	(void)events;
	for (int i = 0; i < 64; i++) {
		int fd = accept4(source->fd, NULL, NULL,
				 SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			open_connection(fd, &l->target);
		} else if (errno == EMFILE || errno == ENFILE) {
			/* It waits in the kernel until one of ours has ended:
			 * without a turn of the loop in between for nothing. */
			usleep(10000);
			return;
		} else if (errno != ECONNABORTED) {
			return;
		}
	}
}

void stream_listen(int fd, const struct endpoint *target)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		die_errno("cannot allocate memory");
	l->source = (struct source){ on_caller, fd };
	l->target = *target;
	if (!poll_add(&l->source, EPOLLIN))
		die_errno("epoll");
}
