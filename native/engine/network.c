// SPDX-License-Identifier: Apache-2.0
/*
 * Redirection of addresses: what inet_bind(), the connect() of TCP and UDP and
 * sending to an address would do behind rules of destination NAT. The program
 * asks for the address of its old machine, the kernel gets another one, and
 * whoever asks is told the first again, as conntrack tells it.
 *
 * The peer that a socket asked for is remembered, in this process and its
 * children; after execve() it is told by the rules, where one names all of it.
 * What a socket is bound to is always told by the rules. IPv4 in IPv6 sockets
 * (::ffff:a.b.c.d) is IPv4.
 */
#include "batches.h"
#include "engine.h"
#include "files.h"
#include "gate.h"
#include "inet.h"
#include "log.h"
#include "paths.h"
#include "peers.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"

static struct before before;

#define rules (&rules_now()->network)

static void put_hex(char *to, unsigned int value)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned int i = 0; i < 4; i++)
		to[i] = digits[value >> (12 - 4 * i) & 15];
	to[4] = 0;
}

/* IP:PORT, [IPv6]:PORT; at least 64 bytes. */
static void print_endpoint(char *to, const struct endpoint *e)
{
	char *at = to;

	if (e->size == 16)
		*at++ = '[';
	for (unsigned int i = 0; i < e->size; i += e->size == 16 ? 2 : 1) {
		if (i > 0)
			*at++ = e->size == 16 ? ':' : '.';
		if (e->size == 16)
			put_hex(at, (unsigned int)e->address[i] << 8 |
				    e->address[i + 1]);
		else
			text_decimal(at, e->address[i]);
		at += strlen(at);
	}
	if (e->size == 16)
		*at++ = ']';
	*at++ = ':';
	text_decimal(at, e->port);
}

static void tell_led(const char *kind, const struct endpoint *asked,
		     const struct endpoint *real)
{
	char from[64], to[64];

	if (!engine.log)
		return;
	print_endpoint(from, asked);
	if (real)
		print_endpoint(to, real);
	log_led(kind, from, real ? to : NULL, 0);
}

/* What the kernel calls the peer of @fd, as the program asked for it. */
static bool asked_peer(long fd, const struct endpoint *real,
		       struct endpoint *asked)
{
	return peers_find(fd, real, asked) ||
	       net_known(rules, NET_CONNECT, real, asked);
}

/* Where it was asked for as itself, no rule tells it otherwise. */
static void forget_peer(long fd, const struct endpoint *real)
{
	struct endpoint asked;

	if (asked_peer(fd, real, &asked))
		peers_keep(fd, real, real);
}

/* A call that sends to, or connects, an address at @at. */
static long towards(struct record *r, unsigned long at, unsigned int size)
{
	struct endpoint asked, real;
	struct inet a;

	if (!inet_read(&a, at, size))
		return call_before(&before, r);
	asked = inet_endpoint(&a);
	if (!net_lead(rules, NET_CONNECT, &asked, &real)) {
		if (r->nr == __NR_connect)
			forget_peer((int)r->rdi, &asked);
		tell_led("connect", &asked, NULL);
		return call_before(&before, r);
	}
	tell_led("connect", &asked, &real);
	peers_keep((int)r->rdi, &asked, &real);
	inet_put(&a, &real);
	return call_with_address(r, a.bytes, (long)a.size);
}

static long call_connect(struct record *r)
{
	return towards(r, r->rsi, (unsigned int)r->rdx);
}

static long call_sendto(struct record *r)
{
	return r->r8 ? towards(r, r->r8, (unsigned int)r->r9)
		     : call_before(&before, r);
}

static long call_sendmsg(struct record *r)
{
	unsigned long name[2];

	if (copy_bytes(name, (const void *)r->rsi, sizeof(name)) < 0 || !name[0])
		return call_before(&before, r);
	return towards(r, name[0], (unsigned int)name[1]);
}

static long call_bind(struct record *r)
{
	struct endpoint asked, real;
	struct inet a;

	if (!inet_read(&a, r->rsi, (unsigned int)r->rdx))
		return call_before(&before, r);
	asked = inet_endpoint(&a);
	if (!net_lead(rules, NET_BIND, &asked, &real)) {
		tell_led("bind", &asked, NULL);
		return call_before(&before, r);
	}
	tell_led("bind", &asked, &real);
	inet_put(&a, &real);
	return call_with_address(r, a.bytes, (long)a.size);
}

static long call_name(struct record *r)
{
	bool peer = r->nr == __NR_getpeername, other;
	struct endpoint real, asked;
	struct inet a;

	memset(&a, 0, sizeof(a));
	a.size = sizeof(a.bytes);
	if (SYS(r->nr, r->rdi, a.bytes, &a.size) < 0 ||
	    a.size > sizeof(a.bytes) || !inet_is_whole(&a))
		return call_before(&before, r);
	real = inet_endpoint(&a);
	other = peer ? asked_peer((int)r->rdi, &real, &asked)
		     : net_known(rules, NET_BIND, &real, &asked);
	if (!other)
		return call_before(&before, r);
	inet_put(&a, &asked);
	return tell_address(a.bytes, a.size, r->rsi, r->rdx);
}

/* The sender at @at, which the kernel has just written, is named as it was
 * asked for. */
static void name_sender(long fd, unsigned long at, unsigned int size)
{
	struct endpoint real, asked;
	struct inet a;

	if (!inet_read(&a, at, size))
		return;
	real = inet_endpoint(&a);
	if (!peers_find(fd, &real, &asked))
		return;
	inet_put(&a, &asked);
	copy_bytes((void *)at, a.bytes, a.size);
}

static long call_recvfrom(struct record *r)
{
	long n = call_before(&before, r);
	unsigned int size;

	if (n >= 0 && r->r8 && r->r9 &&
	    copy_bytes(&size, (const void *)r->r9, sizeof(size)) == 0)
		name_sender((int)r->rdi, r->r8, size);
	return n;
}

/* The room for the name is the program's; the kernel says what it used. */
static void name_in_header(long fd, unsigned long header)
{
	unsigned long name[2];

	if (copy_bytes(name, (const void *)header, sizeof(name)) == 0 && name[0])
		name_sender(fd, name[0], (unsigned int)name[1]);
}

static long call_recvmsg(struct record *r)
{
	long n = call_before(&before, r);

	if (n >= 0)
		name_in_header((int)r->rdi, r->rsi);
	return n;
}

static long call_recvmmsg(struct record *r)
{
	long n = call_before(&before, r);

	for (long i = 0; i < n; i++)
		name_in_header((int)r->rdi,
			       r->rsi + (unsigned long)i * MESSAGE_SIZE);
	return n;
}

static void take_connect(void)
{
	static bool taken;

	if (!__atomic_exchange_n(&taken, true, __ATOMIC_RELAXED))
		dispatch_over(&before, __NR_connect, call_connect);
}

void network_turned(const struct policy_table *t)
{
	static bool connects, binds;

	/* Once: what they took over is what they ask. */
	if (net_rules_have(&t->network, NET_CONNECT) &&
	    !__atomic_exchange_n(&connects, true, __ATOMIC_RELAXED)) {
		take_connect();
		dispatch_over(&before, __NR_sendto, call_sendto);
		dispatch_over(&before, __NR_sendmsg, call_sendmsg);
		dispatch_over(&before, __NR_recvfrom, call_recvfrom);
		dispatch_over(&before, __NR_recvmsg, call_recvmsg);
		dispatch_over(&before, __NR_recvmmsg, call_recvmmsg);
		dispatch_over(&before, __NR_getpeername, call_name);
	}
	if (net_rules_have(&t->network, NET_BIND) &&
	    !__atomic_exchange_n(&binds, true, __ATOMIC_RELAXED)) {
		dispatch_over(&before, __NR_bind, call_bind);
		dispatch_over(&before, __NR_getsockname, call_name);
	}
	batches_add();
}

/* Like every call that is hooked, it notices rules that have changed. */
static long call_socket(struct record *r)
{
	return call_before(&before, r);
}

void network_add(void)
{
	network_turned(rules_now());
	/* A program that makes no other call of ours before would not notice
	 * the first rule for addresses. */
	if (rules_may_change() && !engine.policy.loopback) {
		take_connect();
		dispatch_over(&before, __NR_socket, call_socket);
	}
}
