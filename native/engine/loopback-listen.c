// SPDX-License-Identifier: Apache-2.0
/* The listening side: mailboxes are made at listen() and emptied at accept(). */
#include "gate.h"
#include "loopback.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"

#define BACKLOG 4096
#define RLIMIT_NOFILE 7
#define RESERVED 64UL	/* descriptors at the end, where mailboxes are */
#define PRIVILEGED 1024
#define YIELDS 64
#define WAITS 1000	/* of a millisecond */
#define IP_BIND_ADDRESS_NO_PORT 24

/* Where rings come from: nobody else does. What it says survives also where the
 * kernel answers with cookies, which keep no options. */
static const struct endpoint ringer = { 4, 0, { 127, 116, 115, 112 } };

struct poll {
	int fd;
	short events, revents;
};

static struct before before;

static int option(long fd, int level, int name)
{
	int value = -1;
	unsigned int size = sizeof(value);

	return SYS(__NR_getsockopt, fd, level, name, &value, &size) == 0
	       ? value : -1;
}

/* Out of the way of programs that expect certain numbers. */
static long put_high(long fd)
{
	unsigned long limit[2] = { 2 * RESERVED, 0 };
	long high;

	SYS(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, limit);
	if (limit[0] > LOOPBACK_FDS)
		limit[0] = LOOPBACK_FDS;
	high = limit[0] < 2 * RESERVED ? -EMFILE :
	       SYS(__NR_fcntl, fd, F_DUPFD_CLOEXEC, limit[0] - RESERVED);
	SYS(__NR_close, fd);
	return high;
}

static long make_mailbox(const struct endpoint *at, bool both)
{
	long fd = SYS(__NR_socket, AF_UNIX,
		      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct loopback_name n;

	if (fd < 0)
		return fd;
	loopback_listener(&n, at, both);
	if (SYS(__NR_bind, fd, &n, sizeof(n)) == 0 &&
	    SYS(__NR_listen, fd, BACKLOG) == 0)
		return put_high(fd);
	SYS(__NR_close, fd);
	return -EADDRINUSE;
}

/* A mailbox for @fd, which has begun to listen, or -errno. Ports that several
 * sockets share stay the kernel's, which chooses among them, and so does what
 * takes no IPv4, from which rings come. */
static long mailbox_for(long fd)
{
	struct inet a = { .size = sizeof(a.bytes) };
	struct endpoint at;
	bool six, any;

	if (option(fd, SOL_SOCKET, SO_PROTOCOL) != IPPROTO_TCP ||
	    option(fd, SOL_SOCKET, SO_REUSEPORT) != 0 ||
	    SYS(__NR_getsockname, fd, a.bytes, &a.size) < 0 ||
	    !inet_is_whole(&a))
		return -EINVAL;
	at = inet_endpoint(&a);
	six = inet_family(&a) == AF_INET6;
	any = endpoint_is_any(&at);
	if (six ? at.size == 4 || !any || option(fd, IPPROTO_IPV6, IPV6_V6ONLY)
		: !any && !endpoint_is_loopback(&at))
		return -EINVAL;
	return make_mailbox(&at, six);
}

static long call_listen(struct record *r)
{
	long fd = (int)r->rdi, mailbox, result = call_before(&before, r);

	if (result < 0 || !loopback_tracked(fd) || loopback_find(fd))
		return result;
	mailbox = mailbox_for(fd);
	if (mailbox >= 0)
		loopback_note(fd, mailbox);
	return result;
}

bool loopback_ring(const struct endpoint *to)
{
	long fd = SYS(__NR_socket, AF_INET,
		      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct endpoint at = *to;
	struct inet from, a;
	int yes = 1;
	bool taken;

	if (fd < 0)
		return false;
	if (at.size != 4)
		at = (struct endpoint){ 4, to->port, { 127, 0, 0, 1 } };
	inet_make(&from, AF_INET, &ringer);
	inet_make(&a, AF_INET, &at);
	SYS(__NR_setsockopt, fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes,
	    sizeof(yes));
	/* The second time it tells whether the first is done, as on loopback
	 * it is unless the listener has no room. */
	taken = SYS(__NR_bind, fd, from.bytes, from.size) == 0 &&
		/* NOLINTNEXTLINE(misc-redundant-expression): two calls */
		(SYS(__NR_connect, fd, a.bytes, a.size) == 0 ||
		 SYS(__NR_connect, fd, a.bytes, a.size) == 0);
	SYS(__NR_close, fd);
	return taken;
}

static bool is_ring(const struct inet *from)
{
	struct endpoint e = inet_endpoint(from);

	return e.size == 4 && memcmp(e.address, ringer.address, 4) == 0;
}

/* Names are given by whoever connects. */
static bool is_sound(const struct ends *e)
{
	return endpoint_is_loopback(&e->peer) &&
	       endpoint_is_loopback(&e->local) && e->peer.port >= PRIVILEGED;
}

/* Whether the client of @fd has put its name on it, which it does when its ring
 * was taken. It may be just about to; one that has ended gave up. */
static bool is_named(long fd, struct ends *e)
{
	struct poll p = { (int)fd, 0, 0 };
	bool ended = false;

	/* It may have put it on just before it ended. */
	for (unsigned int i = 0; i < YIELDS + WAITS; i++) {
		if (loopback_ends(fd, e))
			return true;
		if (ended)
			return false;
		SYS(__NR_sched_yield);
		ended = SYS(__NR_poll, &p, 1, i < YIELDS ? 0 : 1) > 0;
	}
	return false;
}

/* The next connection in the mailbox of @listener, or -1. */
static long take(long listener, unsigned long flags, struct ends *e,
		 struct loopback_options *o)
{
	for (;;) {
		struct listener *l;
		long fd = -1;

		loopback_lock();
		l = loopback_find(listener);
		if (l) {
			*o = l->options;
			fd = SYS(__NR_accept4, l->mailbox, 0, 0,
				 SOCK_CLOEXEC | (flags & SOCK_NONBLOCK));
		}
		loopback_unlock();
		if (fd < 0)
			return -1;
		if (is_named(fd, e) && is_sound(e))
			return fd;
		SYS(__NR_close, fd);
	}
}

/* What waits takes the place of the @ring that was accepted, or stands alone
 * where there is none (-1). The descriptor; -1 = nothing waits. */
static long replace(const struct record *r, long ring, struct ends *e)
{
	unsigned long flags = r->nr == __NR_accept4 ? r->r10 : 0;
	struct loopback_options o;
	long other = take((int)r->rdi, flags, e, &o);

	if (other < 0)
		return -1;
	loopback_options_give(&o, other);
	if (ring >= 0) {
		SYS(__NR_dup3, other, ring, flags & SOCK_CLOEXEC);
		SYS(__NR_close, other);
		return ring;
	}
	if (!(flags & SOCK_CLOEXEC))
		SYS(__NR_fcntl, other, F_SETFD, 0);
	return other;
}

/* The kernel's answer, or what waits in its place; @from is who connected. */
static long accept_one(struct record *r, struct inet *from)
{
	struct record own = *r;
	struct ends e;

	own.rsi = (unsigned long)from->bytes;
	own.rdx = (unsigned long)&from->size;
	for (;;) {
		long fd, got;

		memset(from, 0, sizeof(*from));
		from->size = sizeof(from->bytes);
		fd = call_before(&before, &own);
		if ((fd < 0 && fd != -EAGAIN) || (fd >= 0 && !is_ring(from)))
			return fd;
		/* Rings are lost with processes that are killed in here: who
		 * does not wait looks also without one. */
		got = replace(r, fd < 0 ? -1 : fd, &e);
		if (got >= 0)
			inet_make(from, e.family, &e.peer);
		/* One ring too many. Who may wait here could wait for long:
		 * he gets it, as a peer that went away. */
		if (got >= 0 || fd < 0 ||
		    !(SYS(__NR_fcntl, r->rdi, F_GETFL) & SOCK_NONBLOCK))
			return got >= 0 ? got : fd;
		SYS(__NR_close, fd);
	}
}

static long call_accept(struct record *r)
{
	struct inet from = { .size = 0 };
	long fd, result;

	if (!loopback_find((int)r->rdi))
		return call_before(&before, r);
	fd = accept_one(r, &from);
	if (fd < 0 || !r->rsi)
		return fd;
	result = tell_address(from.bytes, from.size, r->rsi, r->rdx);
	if (result == 0)
		return fd;
	SYS(__NR_close, fd);
	return result;
}

/* It no longer listens. */
static long call_shutdown(struct record *r)
{
	loopback_alone((int)r->rdi);
	return call_before(&before, r);
}

void loopback_listen_add(void)
{
	dispatch_over(&before, __NR_listen, call_listen);
	dispatch_over(&before, __NR_accept, call_accept);
	dispatch_over(&before, __NR_accept4, call_accept);
	dispatch_over(&before, __NR_shutdown, call_shutdown);
}
