// SPDX-License-Identifier: Apache-2.0
/*
 * The connecting side. The program's socket of TCP is replaced by a connected one
 * of AF_UNIX under the same number, within connect(). So it is done only where
 * nobody else can have the old one: it was made in this process, after the last
 * fork(), not copied and not sent. An epoll that watches it is told of the new
 * one.
 */
#include "gate.h"
#include "kept.h"
#include "loopback.h"
#include "sys.h"
#include "text.h"

#define EPOLL_CTL_ADD 1
#define EPOLL_CTL_DEL 2
#define EPOLL_CTL_MOD 3
#define EPOLLONESHOT (1U << 30)
#define SCM_RIGHTS 1
#define PORT_FIRST 32768U
#define PORT_COUNT 28232U
#define PORT_TRIES 8

struct event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

static struct before before;
static unsigned char states[LOOPBACK_FDS] LARGE;
static struct watch { int epoll; struct event event; } watches[LOOPBACK_FDS] LARGE;

static unsigned int state_of(long fd)
{
	return loopback_tracked(fd) ? states[fd] : 0;
}

unsigned int loopback_state(long fd)
{
	return state_of(fd);
}

void loopback_state_set(long fd, unsigned int state)
{
	if (loopback_tracked(fd))
		states[fd] = (unsigned char)state;
}

void loopback_state_clear(void)
{
	memset(states, 0, sizeof(states));
}

static long call_socket(struct record *r)
{
	bool inet = r->rdi == AF_INET || r->rdi == AF_INET6;
	long fd = call_before(&before, r);

	if (fd < 0 || !loopback_tracked(fd))
		return fd;
	states[fd] = inet && (r->rsi & 15) == SOCK_STREAM &&
		     (r->rdx == 0 || r->rdx == IPPROTO_TCP)
		     ? (r->rdi == AF_INET6 ? MADE | SIX : MADE) : 0;
	watches[fd].epoll = -1;
	return fd;
}

static long call_bind(struct record *r)
{
	long fd = (int)r->rdi, result = call_before(&before, r);

	if (result == 0 && state_of(fd))
		states[fd] |= BOUND;
	return result;
}

/* One epoll can be told anew; of what fires once nobody knows whether it did. */
static void watch(struct watch *w, struct record *r, long fd)
{
	if ((int)r->rsi == EPOLL_CTL_DEL) {
		if (w->epoll == (int)r->rdi)
			w->epoll = -1;
		return;
	}
	if (((int)r->rsi == EPOLL_CTL_ADD ? w->epoll >= 0
					  : w->epoll != (int)r->rdi) ||
	    copy_bytes(&w->event, (void *)r->r10, sizeof(w->event)) < 0 ||
	    (w->event.events & EPOLLONESHOT))
		states[fd] = 0;
	w->epoll = (int)r->rdi;
}

static long call_epoll_ctl(struct record *r)
{
	long fd = (int)r->rdx, result = call_before(&before, r);

	if (result == 0 && state_of(fd) & MADE)
		watch(&watches[fd], r, fd);
	return result;
}

/* Unlike any that waits or is in use: the kernel lets no two have a name. */
static bool name_client(long fd, struct ends *e)
{
	struct loopback_name n;
	unsigned int low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	low = low * 0x9e3779b9U + (unsigned int)SYS(__NR_getpid);
	for (unsigned int i = 0; i < PORT_TRIES; i++) {
		e->local.port = (uint16_t)(PORT_FIRST + (low >> 8) % PORT_COUNT);
		loopback_client(&n, e);
		if (SYS(__NR_bind, fd, &n, sizeof(n)) == 0)
			return true;
		low = low * 0x9e3779b9U + 1;
	}
	return false;
}

/* Who made the mailbox may take our connections only if he may do all that we
 * may: the port is his whose listener it is, and a name is anybody's. */
static bool is_trusted(long fd)
{
	struct { int pid; unsigned int uid, gid; } peer = { 0, ~0U, ~0U };
	unsigned int size = sizeof(peer);

	return SYS(__NR_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &peer,
		   &size) == 0 &&
	       (peer.uid == 0 || peer.uid == SYS(__NR_geteuid));
}

/* To the mailbox of whoever listens at @to, or for all addresses. */
static bool reach(long fd, const struct endpoint *to)
{
	struct endpoint at[3] = { *to, { 4, to->port, { 0 } },
				  { 16, to->port, { 0 } } };
	struct loopback_name n;

	for (unsigned int i = to->size == 4 ? 0 : 2; i < 3; i++) {
		long result;

		loopback_listener(&n, &at[i], i == 2);
		result = SYS(__NR_connect, fd, &n, sizeof(n));
		if (result == 0)
			return is_trusted(fd);
		if (result != -ECONNREFUSED)
			return false;
	}
	return false;
}

/* Takes the place of @fd, with its flags and options. */
static void take_place(long fd, long other, long flags)
{
	struct loopback_options o;
	long cloexec = SYS(__NR_fcntl, fd, F_GETFD);

	if (states[fd] & OPTIONS) {
		loopback_options_read(&o, fd);
		loopback_options_give(&o, other);
	}
	SYS(__NR_fcntl, other, F_SETFL, flags);
	SYS(__NR_dup3, other, fd, cloexec & FD_CLOEXEC ? SOCK_CLOEXEC : 0);
	SYS(__NR_close, other);
	if (watches[fd].epoll >= 0)
		SYS(__NR_epoll_ctl, watches[fd].epoll, EPOLL_CTL_ADD, fd,
		    &watches[fd].event);
}

/* False where TCP has to do it. */
static bool connect_fast(long fd, const struct inet *to, long flags)
{
	struct ends e = { inet_family(to), inet_endpoint(to),
			  inet_endpoint(to) };
	long other = SYS(__NR_socket, AF_UNIX,
			 SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (other < 0)
		return false;
	/* The kernel chooses this one too. */
	if (e.local.size == 4)
		memcpy(e.local.address, "\x7f\0\0\x01", 4);
	if (!reach(other, &e.peer) || !loopback_ring(&e.peer) ||
	    !name_client(other, &e)) {
		SYS(__NR_close, other);
		return false;
	}
	take_place(fd, other, flags);
	return true;
}

static bool may_be_fast(long fd, const struct inet *to)
{
	unsigned int six = inet_family(to) == AF_INET6 ? SIX : 0;
	struct endpoint e = inet_endpoint(to);

	return (state_of(fd) & (MADE | BOUND | SIX)) == (MADE | six) &&
	       e.port > 0 &&
	       endpoint_is_loopback(&e);
}

/* A connection that is there already. */
static long connect_again(struct record *r, long fd)
{
	long result = call_before(&before, r);
	struct ends e;

	if (result != -EINVAL || !loopback_ends(fd, &e))
		return result;
	if (!(state_of(fd) & TOLD))
		return -EISCONN;
	states[fd] = 0;
	return 0;
}

static long call_connect(struct record *r)
{
	long fd = (int)r->rdi, flags;
	struct inet to;

	if (!inet_read(&to, r->rsi, (unsigned int)r->rdx) ||
	    !may_be_fast(fd, &to))
		return connect_again(r, fd);
	flags = SYS(__NR_fcntl, fd, F_GETFL);
	if (flags < 0 || !connect_fast(fd, &to, flags)) {
		states[fd] &= (unsigned char)~MADE;
		return call_before(&before, r);
	}
	states[fd] = flags & SOCK_NONBLOCK ? TOLD : 0;
	return flags & SOCK_NONBLOCK ? -EINPROGRESS : 0;
}

/* Descriptors in a message: other processes get them. */
static void sent_in(const unsigned char *control, size_t size)
{
	struct { size_t length; int level, type; } head;
	int fd;

	while (size >= sizeof(head) &&
	       copy_bytes(&head, control, sizeof(head)) == 0 &&
	       head.length >= sizeof(head) && head.length <= size) {
		for (size_t at = sizeof(head);
		     head.level == SOL_SOCKET && head.type == SCM_RIGHTS &&
		     at + sizeof(fd) <= head.length; at += sizeof(fd)) {
			if (copy_bytes(&fd, control + at, sizeof(fd)) < 0)
				return;
			loopback_alone(fd);
			loopback_state_set(fd, 0);
		}
		head.length = (head.length + 7) & ~7UL;
		if (head.length > size)
			return;
		control += head.length;
		size -= head.length;
	}
}

void loopback_sent(unsigned long header)
{
	unsigned long words[6];

	if (copy_bytes(words, (void *)header, sizeof(words)) == 0 && words[4])
		sent_in((const unsigned char *)words[4], words[5]);
}

void loopback_connect_add(void)
{
	dispatch_over(&before, __NR_socket, call_socket);
	dispatch_over(&before, __NR_bind, call_bind);
	dispatch_over(&before, __NR_epoll_ctl, call_epoll_ctl);
	dispatch_over(&before, __NR_connect, call_connect);
}
