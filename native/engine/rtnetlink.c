// SPDX-License-Identifier: Apache-2.0
/*
 * Element: the MAC address, as rtnl_fill_ifinfo() (net/core/rtnetlink.c) tells
 * it. Messages are changed where the program has received them.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "hardware.h"
#include "sockets.h"
#include "sys.h"

#define SOL_SOCKET 1
#define SO_PROTOCOL 38
#define SO_DOMAIN 39
#define AF_NETLINK 16
#define NETLINK_ROUTE 0
#define RTM_NEWLINK 16
#define RTM_DELLINK 17
#define IFLA_ADDRESS 1
#define IFLA_PERM_ADDRESS 54
#define ATTRIBUTE_TYPE 0x3fff
#define IOV_MAX 1024
#define ALIGN(n) (((size_t)(n) + 3) & ~(size_t)3)

struct piece {
	char *at;
	size_t size;
};

/* What a call has filled: pieces in the program's memory, @size in all. */
struct filled {
	const struct piece *pieces;
	size_t count, size;
};

static struct before before;

/* Reads or, where @to is NULL, writes @n bytes at @offset; false: they are not
 * there. */
static bool move(const struct filled *f, size_t offset, void *to,
		 const void *from, size_t n)
{
	struct piece p;

	if (offset > f->size || n > f->size - offset)
		return false;
	for (size_t i = 0; n > 0 && i < f->count; i++) {
		size_t part;

		if (copy_bytes(&p, &f->pieces[i], sizeof(p)) < 0)
			return false;
		if (offset >= p.size) {
			offset -= p.size;
			continue;
		}
		part = p.size - offset < n ? p.size - offset : n;
		if ((to ? copy_bytes(to, p.at + offset, part)
			: copy_bytes(p.at + offset, from, part)) < 0)
			return false;
		if (to)
			to = (char *)to + part;
		else
			from = (const char *)from + part;
		n -= part;
		offset = 0;
	}
	return n == 0;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void attributes(const struct filled *f, size_t at, size_t end)
{
	struct { uint16_t size, type; } a;

	while (at + sizeof(a) <= end && move(f, at, &a, NULL, sizeof(a)) &&
	       a.size >= sizeof(a)) {
		unsigned int type = a.type & ATTRIBUTE_TYPE;

		if ((type == IFLA_ADDRESS || type == IFLA_PERM_ADDRESS) &&
		    a.size == sizeof(a) + MAC_SIZE)
			move(f, at + sizeof(a), NULL, engine.policy.mac,
			     least(MAC_SIZE, end - at - sizeof(a)));
		at += ALIGN(a.size);
	}
}

static bool is_route_socket(long fd)
{
	int domain = 0, protocol = -1;
	unsigned int size = sizeof(int), same = sizeof(int);

	return SYS(__NR_getsockopt, fd, SOL_SOCKET, SO_DOMAIN, &domain,
		   &size) == 0 && domain == AF_NETLINK &&
	       SYS(__NR_getsockopt, fd, SOL_SOCKET, SO_PROTOCOL, &protocol,
		   &same) == 0 && protocol == NETLINK_ROUTE;
}

/* Messages about links, the last of which may be cut off. Data that do not begin
 * with one are told from it without a call: reading is much of what programs
 * do. */
static void messages(long fd, const struct filled *f)
{
	struct { uint32_t size; uint16_t type, flags; uint32_t rest[2]; } h;
	struct { uint16_t family, type; uint32_t rest[3]; } link;
	bool known = false;

	for (size_t at = 0; move(f, at, &h, NULL, sizeof(h)) &&
	     h.size >= sizeof(h); at += ALIGN(h.size)) {
		if (h.type != RTM_NEWLINK && h.type != RTM_DELLINK) {
			if (!known)
				return;
			continue;
		}
		if (!known && !is_route_socket(fd))
			return;
		known = true;
		if (h.size >= sizeof(h) + sizeof(link) &&
		    move(f, at + sizeof(h), &link, NULL, sizeof(link)) &&
		    link.type == ETHERNET)
			attributes(f, at + sizeof(h) + sizeof(link),
				   at + least(h.size, f->size - at));
	}
}

/* @n as the kernel said, which with MSG_TRUNC is more than there was room. */
static void filled(long fd, const struct piece *pieces, size_t count, long n)
{
	struct filled f = { pieces, count, 0 };
	struct piece p;

	if (n <= 0 || count > IOV_MAX)
		return;
	for (size_t i = 0; i < count && f.size < (size_t)n; i++) {
		if (copy_bytes(&p, &pieces[i], sizeof(p)) < 0)
			return;
		f.size += p.size;
	}
	if (f.size > (size_t)n)
		f.size = (size_t)n;
	messages(fd, &f);
}

/* read(), recvfrom() */
static long call_read(struct record *r)
{
	long n = call_before(&before, r);
	struct piece p = { (char *)r->rsi, r->rdx };

	filled((int)r->rdi, &p, 1, n);
	return n;
}

/* readv(), preadv2() */
static long call_readv(struct record *r)
{
	long n = call_before(&before, r);

	filled((int)r->rdi, (const struct piece *)r->rsi, r->rdx, n);
	return n;
}

/* What struct msghdr at @header says. */
static void filled_message(long fd, unsigned long header, long n)
{
	unsigned long h[4];

	if (n > 0 && copy_bytes(h, (const void *)header, sizeof(h)) == 0)
		filled(fd, (const struct piece *)h[2], h[3], n);
}

static long call_recvmsg(struct record *r)
{
	long n = call_before(&before, r);

	filled_message((int)r->rdi, r->rsi, n);
	return n;
}

static long call_recvmmsg(struct record *r)
{
	long n = call_before(&before, r);

	for (long i = 0; i < n; i++) {
		unsigned long at = r->rsi + (unsigned long)i * MESSAGE_SIZE;
		unsigned int got;

		if (copy_bytes(&got, (void *)(at + MESSAGE_LENGTH),
			       sizeof(got)) == 0)
			filled_message((int)r->rdi, at, got);
	}
	return n;
}

void rtnetlink_add(void)
{
	if (!engine.policy.mac_on)
		return;
	dispatch_over(&before, __NR_read, call_read);
	dispatch_over(&before, __NR_recvfrom, call_read);
	dispatch_over(&before, __NR_readv, call_readv);
	dispatch_over(&before, __NR_preadv2, call_readv);
	dispatch_over(&before, __NR_recvmsg, call_recvmsg);
	dispatch_over(&before, __NR_recvmmsg, call_recvmmsg);
}
