// SPDX-License-Identifier: Apache-2.0
/*
 * Datagrams. A client is an address that something came from; each has a socket
 * of its own to the instance, so that the answers find their way. It goes when
 * it was silent for a while; where there are too many, or no descriptors left,
 * the one that was silent longest makes room. Its port may then be that of the
 * next, with an answer to the old one still under way: so there is room for
 * more than may wait for answers at a time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "proxy.h"

#define CLIENTS 8192
#define BUCKETS 1024
#define SILENT_MAX 90		/* seconds */
#define LONGEST 65536

struct port;

struct client {
	struct source source;	/* to the instance; its fd -1: let go */
	struct port *of;
	struct endpoint from;
	time_t heard;
	struct client *next;		/* of the bucket, or let go */
	struct client *older, *newer;	/* by when they were heard */
};

struct port {
	struct source source;
	struct endpoint target;
	struct client *buckets[BUCKETS];
};

static struct client *oldest, *newest;
static size_t count;
/* Events of the same round may still name them. */
static struct client *let_go;
static char buf[LONGEST];

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static struct client **bucket(struct port *p, const struct endpoint *from)
{
	const unsigned char *bytes = (const void *)&from->address;
	uint32_t hash = 2166136261U;

	for (socklen_t i = 0; i < from->length; i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	return &p->buckets[hash % BUCKETS];
}

static void take_out(struct client *c)
{
	*(c->older ? &c->older->newer : &oldest) = c->newer;
	*(c->newer ? &c->newer->older : &newest) = c->older;
}

static void put_last(struct client *c)
{
	c->heard = now();
	c->older = newest;
	c->newer = NULL;
	*(newest ? &newest->newer : &oldest) = c;
	newest = c;
}

static void hear(struct client *c)
{
	take_out(c);
	put_last(c);
}

static void forget(struct client *c)
{
	struct client **at = bucket(c->of, &c->from);

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	take_out(c);
	close(c->source.fd);
	c->source.fd = -1;
	c->next = let_go;
	let_go = c;
	count--;
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
		hear(c);
		sendto(c->of->source.fd, buf, (size_t)n, MSG_NOSIGNAL,
		       (struct sockaddr *)&c->from.address, c->from.length);
	}
}

static int open_to(const struct endpoint *target)
{
	int fd = socket(target->address.ss_family,
			SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&target->address,
			       target->length) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* most() - so many that connections have descriptors left: anybody may send from
 * many addresses. */
static size_t most(void)
{
	static size_t known;
	struct rlimit limit;

	if (!known)
		known = getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
			limit.rlim_cur / 2 < CLIENTS ?
			(size_t)limit.rlim_cur / 2 : CLIENTS;
	return known;
}

/* Return: NULL where no socket can be had: the datagram is lost, as datagrams
 * may be. */
static struct client *add_client(struct port *p, const struct endpoint *from)
{
	struct client **at = bucket(p, from);
	struct client *c = calloc(1, sizeof(*c));
	int fd;

	if (count >= most() && oldest)
		forget(oldest);
	fd = open_to(&p->target);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && oldest) {
		forget(oldest);
		fd = open_to(&p->target);
	}
	if (!c || fd < 0)
		goto fail;
	*c = (struct client){ .source = { on_answer, fd }, .of = p,
			      .from = *from };
	if (!poll_add(&c->source, EPOLLIN))
		goto fail;
	c->next = *at;
	*at = c;
	put_last(c);
	count++;
	return c;
fail:
	if (fd >= 0)
		close(fd);
	free(c);
	return NULL;
}

static struct client *find_client(struct port *p, const struct endpoint *from)
{
	struct client *c;

	for (c = *bucket(p, from); c; c = c->next)
		if (c->from.length == from->length &&
		    memcmp(&c->from.address, &from->address, from->length) == 0)
			return c;
	return add_client(p, from);
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
		if (!c)
			continue;
		hear(c);
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
	if (!poll_add(&p->source, EPOLLIN))
		die_errno("epoll");
}

void datagram_sweep(void)
{
	time_t t = now();

	while (oldest && t - oldest->heard > SILENT_MAX)
		forget(oldest);
	while (let_go) {
		struct client *c = let_go;

		let_go = c->next;
		free(c);
	}
}
