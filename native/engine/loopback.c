// SPDX-License-Identifier: Apache-2.0
/*
 * Fast loopback: connections of TCP at 127.0.0.0/8 and ::1 between programs of
 * this engine go over AF_UNIX (net/unix/af_unix.c), which does no more than
 * put bytes from one process into the other's queue. Reading, writing, polling
 * and sendfile() are the kernel's, with no call more.
 *
 * The listener stays a socket of TCP. Beside it lies a mailbox, a listener of
 * AF_UNIX whose name says where it listens (loopback-names.c). To connect is to
 *
 *   1. connect a socket of AF_UNIX to the mailbox: this will be the connection;
 *   2. ring: a connection of TCP to the listener, from an address of its own in
 *      127.0.0.0/8, that is closed when the kernel has taken it;
 *   3. give the first its name, and put it in the place of the program's socket
 *      (loopback-connect.c). Bytes may be sent at once.
 *
 * The ring makes the listener readable for poll(), select() and every epoll in
 * whatever mode, wakes accept(), and takes a place in the backlog: all that is
 * TCP's own. Where it is not taken at once, 1 is given up and the program's
 * socket connects by TCP. Who accepts a ring (loopback-listen.c) takes the next
 * connection with a name from the mailbox in its place. Which one does not
 * matter: there are as many as rings, and each says who it is.
 *
 * Others than programs of this engine connect and are accepted as ever.
 *
 * Where TCP and AF_UNIX differ, the program is told what TCP says (addresses,
 * options, loopback-options.c) as far as a call asks. Not the same are: POLLHUP
 * beside POLLIN when the peer has closed, a write after that (EPIPE at once),
 * shutdown() of reading (the peer's writing fails), urgent data (refused),
 * SO_LINGER with 0 (the peer reads the end, not ECONNRESET), MSG_TRUNC. Nobody
 * sees these connections in /proc/net/tcp, nor filters them. Between users, only
 * servers of root are reached so (is_trusted()).
 */
#include "engine.h"
#include "gate.h"
#include "loopback.h"
#include "paths.h"
#include "sys.h"

static struct before before;

#define HEADER_NAME 0	/* in words of struct msghdr */
#define HEADER_WORDS 7UL

/* AF_UNIX would refuse an address, which TCP does not look at. */
static long call_sendto(struct record *r)
{
	struct record plain = *r;
	struct ends e;

	if ((!r->r8 && !(r->r10 & MSG_OOB)) || !loopback_ends((int)r->rdi, &e))
		return call_before(&before, r);
	if (r->r10 & MSG_OOB)
		return -EOPNOTSUPP;
	plain.r8 = plain.r9 = 0;
	return call_before(&before, &plain);
}

/* A copy of the header at @at without an address; false where it has none, or
 * the connection is not ours. */
static bool without_name(long fd, unsigned long at,
			 unsigned long words[HEADER_WORDS])
{
	struct ends e;

	if (copy_bytes(words, (void *)at, HEADER_WORDS * 8) < 0 ||
	    !words[HEADER_NAME] || !loopback_ends(fd, &e))
		return false;
	words[0] = words[1] = 0;
	return true;
}

static long call_sendmsg(struct record *r)
{
	unsigned long words[HEADER_WORDS];
	struct record plain = *r;
	struct ends e;

	if (r->rdx & MSG_OOB && loopback_ends((int)r->rdi, &e))
		return -EOPNOTSUPP;
	loopback_sent(r->rsi);
	if (!without_name((int)r->rdi, r->rsi, words))
		return call_before(&before, r);
	plain.rsi = (unsigned long)words;
	return call_before(&before, &plain);
}

/* The name of the peer is ours to know; TCP tells none. */
static long call_recvfrom(struct record *r)
{
	static const unsigned int none;
	struct record plain = *r;
	struct ends e;
	long n;

	if ((!r->r8 && !(r->r10 & MSG_OOB)) || !loopback_ends((int)r->rdi, &e))
		return call_before(&before, r);
	if (r->r10 & MSG_OOB)
		return -EINVAL;
	plain.r8 = plain.r9 = 0;
	n = call_before(&before, &plain);
	if (n >= 0 && copy_bytes((void *)r->r9, &none, sizeof(none)) < 0)
		return -EFAULT;
	return n;
}

static long call_recvmsg(struct record *r)
{
	unsigned long words[HEADER_WORDS], name[2] = { 0, 0 };
	struct record plain = *r;
	struct ends e;
	long n;

	if (r->rdx & MSG_OOB && loopback_ends((int)r->rdi, &e))
		return -EINVAL;
	if (!without_name((int)r->rdi, r->rsi, words))
		return call_before(&before, r);
	copy_bytes(name, (void *)r->rsi, sizeof(name[0]));
	plain.rsi = (unsigned long)words;
	n = call_before(&before, &plain);
	words[0] = name[0];
	words[1] = 0;
	if (n >= 0 && copy_bytes((void *)r->rsi, words, sizeof(words)) < 0)
		return -EFAULT;
	return n;
}

void loopback_add(void)
{
	/* Beside rules for addresses, who is asked for is not who is reached. */
	if (rules_now()->network.count > 0)
		engine.policy.loopback = false;
	if (!engine.policy.loopback)
		return;
	loopback_fds_add();
	loopback_listen_add();
	loopback_connect_add();
	loopback_options_add();
	dispatch_over(&before, __NR_sendto, call_sendto);
	dispatch_over(&before, __NR_sendmsg, call_sendmsg);
	dispatch_over(&before, __NR_recvfrom, call_recvfrom);
	dispatch_over(&before, __NR_recvmsg, call_recvmsg);
}
