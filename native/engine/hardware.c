// SPDX-License-Identifier: Apache-2.0
/*
 * Element: the MAC address. What dev_ioctl() (net/core/dev_ioctl.c), ethtool,
 * rtnl_fill_ifinfo() (net/core/rtnetlink.c) and the attribute "address" of
 * net/core/net-sysfs.c tell of an Ethernet device is the application's own
 * address. All such devices tell it: which of them a program asks is its own
 * affair. Packets keep the device's.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "hardware.h"
#include "program.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"

#define MAC_SIZE 6
#define ETHERNET 1		/* ARPHRD_ETHER */
#define SIOCGIFHWADDR 0x8927
#define SIOCETHTOOL 0x8946
#define ETHTOOL_GPERMADDR 0x20
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
#define MFD_CLOEXEC 1
#define SEEK_SET 0
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

static call_fn *before[512];

static long pass(struct record *r)
{
	return before[r->nr] ? before[r->nr](r) : call_through(r);
}

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

static void attributes(const struct filled *f, size_t at, size_t end)
{
	struct { uint16_t size, type; } a;

	while (at + sizeof(a) <= end && move(f, at, &a, NULL, sizeof(a)) &&
	       a.size >= sizeof(a) && a.size <= end - at) {
		unsigned int type = a.type & ATTRIBUTE_TYPE;

		if ((type == IFLA_ADDRESS || type == IFLA_PERM_ADDRESS) &&
		    a.size == sizeof(a) + MAC_SIZE)
			move(f, at + sizeof(a), NULL, engine.policy.mac,
			     MAC_SIZE);
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

/* Messages about links. Data that do not begin with one are told from it
 * without a call: reading is much of what programs do. */
static void messages(long fd, const struct filled *f)
{
	struct { uint32_t size; uint16_t type, flags; uint32_t rest[2]; } h;
	struct { uint16_t family, type; uint32_t rest[3]; } link;
	bool known = false;

	for (size_t at = 0; move(f, at, &h, NULL, sizeof(h)) &&
	     h.size >= sizeof(h) && h.size <= f->size - at;
	     at += ALIGN(h.size)) {
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
				   at + h.size);
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
	long n = pass(r);
	struct piece p = { (char *)r->rsi, r->rdx };

	filled((int)r->rdi, &p, 1, n);
	return n;
}

static long call_readv(struct record *r)
{
	long n = pass(r);

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
	long n = pass(r);

	filled_message((int)r->rdi, r->rsi, n);
	return n;
}

static long call_recvmmsg(struct record *r)
{
	long n = pass(r);

	for (long i = 0; i < n; i++) {
		unsigned long at = r->rsi + (unsigned long)i * MESSAGE_SIZE;
		unsigned int got;

		if (copy_bytes(&got, (void *)(at + MESSAGE_LENGTH),
			       sizeof(got)) == 0)
			filled_message((int)r->rdi, at, got);
	}
	return n;
}

/* Of struct ifreq: 16 bytes of name, then the answer. */
static void device_address(unsigned long request)
{
	uint16_t type;

	if (copy_bytes(&type, (void *)(request + 16), sizeof(type)) == 0 &&
	    type == ETHERNET)
		copy_bytes((void *)(request + 18), engine.policy.mac, MAC_SIZE);
}

static void permanent_address(unsigned long request)
{
	struct { uint32_t command, size; } head;
	unsigned long data;

	if (copy_bytes(&data, (void *)(request + 16), sizeof(data)) == 0 &&
	    copy_bytes(&head, (void *)data, sizeof(head)) == 0 &&
	    head.command == ETHTOOL_GPERMADDR && head.size == MAC_SIZE)
		copy_bytes((void *)(data + sizeof(head)), engine.policy.mac,
			   MAC_SIZE);
}

static long call_ioctl(struct record *r)
{
	long result = pass(r);

	if (result < 0)
		return result;
	if ((unsigned int)r->rsi == SIOCGIFHWADDR)
		device_address(r->rdx);
	if ((unsigned int)r->rsi == SIOCETHTOOL)
		permanent_address(r->rdx);
	return result;
}

/* Whether @fd is .../net/DEVICE/address of sysfs; @path becomes that of its
 * device. */
static bool is_attribute(long fd, char *path)
{
	char link[48];
	long n;
	char *slash;

	text_copy(link, sizeof(link), "/proc/self/fd/");
	text_decimal(link + strlen(link), fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, path, PATH_SIZE - 1);
	if (n <= 0)
		return false;
	path[n] = 0;
	if (strncmp(path, "/sys/devices/", 13) != 0 ||
	    strcmp(text_base(path), "address") != 0)
		return false;
	slash = strrchr(path, '/');
	*slash = 0;
	for (slash--; slash > path && *slash != '/'; slash--)
		;
	return slash - path >= 4 && strncmp(slash - 4, "/net/", 5) == 0;
}

static bool is_ethernet(char *device)
{
	char text[4] = "";
	long fd, n;

	if (!text_join(device, PATH_SIZE, device, "/type"))
		return false;
	fd = SYS(__NR_openat, AT_FDCWD, device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = SYS(__NR_read, fd, text, sizeof(text));
	SYS(__NR_close, fd);
	return n == 2 && text[0] == '1' && text[1] == '\n';
}

/* A file in memory with the address in the place of @fd. */
static void replace(long fd, unsigned long flags)
{
	static const char digits[] = "0123456789abcdef";
	char text[MAC_SIZE * 3];
	long memory;

	for (unsigned int i = 0; i < MAC_SIZE; i++) {
		text[i * 3] = digits[engine.policy.mac[i] >> 4];
		text[i * 3 + 1] = digits[engine.policy.mac[i] & 15];
		text[i * 3 + 2] = i + 1 < MAC_SIZE ? ':' : '\n';
	}
	memory = SYS(__NR_memfd_create, "address", MFD_CLOEXEC);
	if (memory < 0)
		return;
	if (SYS(__NR_write, memory, text, sizeof(text)) == sizeof(text)) {
		SYS(__NR_lseek, memory, 0, SEEK_SET);
		SYS(__NR_dup3, memory, fd, flags & O_CLOEXEC);
	}
	SYS(__NR_close, memory);
}

static long opened(struct record *r, unsigned long path, unsigned long flags)
{
	long fd = pass(r), n;
	char name[PATH_SIZE];

	if (fd < 0 || flags & O_PATH)
		return fd;
	n = copy_text(name, (const char *)path, sizeof(name));
	if (n >= 7 && strcmp(name + n - 7, "address") == 0 &&
	    is_attribute(fd, name) && is_ethernet(name))
		replace(fd, flags);
	return fd;
}

static long call_open(struct record *r)
{
	return opened(r, r->rdi, r->rsi);
}

static long call_openat(struct record *r)
{
	return opened(r, r->rsi, r->rdx);
}

static long call_openat2(struct record *r)
{
	unsigned long flags;

	if (copy_bytes(&flags, (const void *)r->rdx, sizeof(flags)) < 0)
		return pass(r);
	return opened(r, r->rsi, flags);
}

static void answer(unsigned int nr, call_fn *fn)
{
	before[nr] = dispatch_get(nr);
	dispatch_add(nr, fn);
}

void hardware_add(void)
{
	if (!engine.policy.mac_on)
		return;
	answer(__NR_ioctl, call_ioctl);
	answer(__NR_read, call_read);
	answer(__NR_recvfrom, call_read);
	answer(__NR_readv, call_readv);
	answer(__NR_recvmsg, call_recvmsg);
	answer(__NR_recvmmsg, call_recvmmsg);
	answer(__NR_open, call_open);
	answer(__NR_openat, call_openat);
	answer(437, call_openat2);
}
