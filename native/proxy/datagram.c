// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams. A client is an address that something came from; each has a socket
 * of its own to the instance, so that the answers find their way. There are as
 * many as the table has places; the one that was silent longest makes room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "proxy.h"

#define CLIENTS 256
#define SILENT_MAX 90		/* seconds */
#define LONGEST 65536

struct port;

struct client {
	struct source source;	/* to the instance; its fd -1: a free place */
	struct port *of;
	struct endpoint from;
	time_t heard;
};

struct port {
	struct source source;
	struct endpoint target;
	struct client clients[CLIENTS];
	struct port *next;
};

static struct port *ports;
static char buf[LONGEST];

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void forget(struct client *c)
{
	if (c->source.fd >= 0)
		close(c->source.fd);
	c->source.fd = -1;
}

static void on_answer(struct source *source, uint32_t events)
{
	struct client *c = (struct client *)(void *)source;

	(void)events;
	for (int i = 0; i < 64 && source->fd >= 0; i++) {
		ssize_t n = recv(source->fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == ECONNREFUSED)
			continue;	/* nobody listens there yet */
		if (n < 0)
			return;
		c->heard = now();
		sendto(c->of->source.fd, buf, (size_t)n, MSG_NOSIGNAL,
		       (struct sockaddr *)&c->from.address, c->from.length);
	}
}

static struct client *find_client(struct port *p, const struct endpoint *from)
{
	struct client *oldest = &p->clients[0];

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &p->clients[i];

		if (c->source.fd >= 0 && c->from.length == from->length &&
		    memcmp(&c->from.address, &from->address, from->length) == 0)
			return c;
		if (oldest->source.fd >= 0 &&
		    (c->source.fd < 0 || c->heard < oldest->heard))
			oldest = c;
	}
	forget(oldest);
	oldest->from = *from;
	return oldest;
}

/* connected() - Return: false where no socket can be had: the datagram is lost,
 * as datagrams may be. */
static bool connected(struct port *p, struct client *c)
{
	int fd;

	if (c->source.fd >= 0)
		return true;
	fd = socket(p->target.address.ss_family,
		    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&p->target.address,
		    p->target.length) < 0) {
		close(fd);
		return false;
	}
	c->source.fd = fd;
	if (poll_add(&c->source, EPOLLIN))
		return true;
	forget(c);
	return false;
}

static void on_datagram(struct source *source, uint32_t events)
{
	struct port *p = (struct port *)(void *)source;

	(void)events;
	for (int i = 0; i < 64; i++) {
		struct endpoint from = { .length = sizeof(from.address) };
		struct client *c;
		ssize_t n = recvfrom(source->fd, buf, sizeof(buf), 0,
				     (struct sockaddr *)&from.address,
				     &from.length);

		if (n < 0)
			return;
		c = find_client(p, &from);
		if (!connected(p, c))
			continue;
		c->heard = now();
		send(c->source.fd, buf, (size_t)n, MSG_NOSIGNAL);
	}
}

void datagram_listen(int fd, const struct endpoint *target)
{
	struct port *p = calloc(1, sizeof(*p));

	if (!p)
		die_errno("cannot allocate memory");
	p->source = (struct source){ on_datagram, fd };
	p->target = *target;
	for (size_t i = 0; i < CLIENTS; i++) {
		p->clients[i].source = (struct source){ on_answer, -1 };
		p->clients[i].of = p;
	}
	p->next = ports;
	ports = p;
	if (!poll_add(&p->source, EPOLLIN))
		die_errno("epoll");
}

void datagram_sweep(void)
{
	static time_t last;
	time_t t = now();

	if (t == last)
		return;
	last = t;
	for (struct port *p = ports; p; p = p->next)
		for (size_t i = 0; i < CLIENTS; i++)
			if (p->clients[i].source.fd >= 0 &&
			    t - p->clients[i].heard > SILENT_MAX)
				forget(&p->clients[i]);
}
