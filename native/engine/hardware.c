// SPDX-License-Identifier: Apache-2.0
/*
 * Element: the MAC address. What dev_ioctl() (net/core/dev_ioctl.c), ethtool,
 * the attribute "address" of net/core/net-sysfs.c and messages of netlink
 * (rtnetlink.c) tell of an Ethernet device is the application's own address. All
 * such devices tell it: which of them a program asks is its own affair. Packets
 * keep the device's.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "hardware.h"
#include "memory-file.h"
#include "program.h"
#include "sys.h"
#include "text.h"

#define SIOCGIFHWADDR 0x8927
#define SIOCETHTOOL 0x8946
#define ETHTOOL_GPERMADDR 0x20

static struct before before;

/* Of struct ifreq: 16 bytes of name, then the answer. */
static void device_address(unsigned long request)
{
	uint16_t type;

	if (copy_bytes(&type, (void *)(request + 16), sizeof(type)) == 0 &&
	    type == ETHERNET)
		copy_bytes((void *)(request + 18), engine.policy.mac, MAC_SIZE);
}

/* The kernel has one for the loopback device too. */
static bool is_ethernet_device(long fd, unsigned long request)
{
	struct { char name[16]; uint16_t type; char rest[22]; } r;

	return copy_bytes(r.name, (void *)request, sizeof(r.name)) == 0 &&
	       SYS(__NR_ioctl, fd, SIOCGIFHWADDR, &r) == 0 &&
	       r.type == ETHERNET;
}

static void permanent_address(long fd, unsigned long request)
{
	struct { uint32_t command, size; } head;
	unsigned long data;

	if (copy_bytes(&data, (void *)(request + 16), sizeof(data)) == 0 &&
	    copy_bytes(&head, (void *)data, sizeof(head)) == 0 &&
	    head.command == ETHTOOL_GPERMADDR && head.size == MAC_SIZE &&
	    is_ethernet_device(fd, request))
		copy_bytes((void *)(data + sizeof(head)), engine.policy.mac,
			   MAC_SIZE);
}

static long call_ioctl(struct record *r)
{
	long result = call_before(&before, r);

	if (result < 0)
		return result;
	if ((unsigned int)r->rsi == SIOCGIFHWADDR)
		device_address(r->rdx);
	if ((unsigned int)r->rsi == SIOCETHTOOL)
		permanent_address((int)r->rdi, r->rdx);
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

/* 1, 0 or -errno. */
static long is_ethernet(char *device)
{
	char text[4] = "";
	long fd, n;

	if (!text_join(device, PATH_SIZE, device, "/type"))
		return 0;
	fd = SYS(__NR_openat, AT_FDCWD, device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fd;
	n = SYS(__NR_read, fd, text, sizeof(text));
	SYS(__NR_close, fd);
	return n == 2 && text[0] == '1' && text[1] == '\n';
}

/* A file in memory with the address. */
static long address_file(unsigned long flags)
{
	static const char digits[] = "0123456789abcdef";
	char text[MAC_SIZE * 3];

	for (size_t i = 0; i < MAC_SIZE; i++) {
		text[i * 3] = digits[engine.policy.mac[i] >> 4];
		text[i * 3 + 1] = digits[engine.policy.mac[i] & 15];
		text[i * 3 + 2] = i + 1 < MAC_SIZE ? ':' : '\n';
	}
	return memory_file("address", text, sizeof(text), flags);
}

/* What cannot be answered fails: nobody is told the device's own address. */
static long opened(struct record *r, unsigned long path, unsigned long flags)
{
	long fd = call_before(&before, r), n;
	char name[PATH_SIZE];

	if (fd < 0 || flags & O_PATH)
		return fd;
	n = copy_text(name, (const char *)path, sizeof(name));
	if (n < 7 || strcmp(name + n - 7, "address") != 0 ||
	    !is_attribute(fd, name))
		return fd;
	n = is_ethernet(name);
	if (n == 0)
		return fd;
	SYS(__NR_close, fd);
	return n < 0 ? n : address_file(flags);
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
		return call_before(&before, r);
	return opened(r, r->rsi, flags);
}

void hardware_add(void)
{
	if (!engine.policy.mac_on)
		return;
	dispatch_over(&before, __NR_ioctl, call_ioctl);
	dispatch_over(&before, __NR_open, call_open);
	dispatch_over(&before, __NR_openat, call_openat);
	dispatch_over(&before, 437, call_openat2);
}
