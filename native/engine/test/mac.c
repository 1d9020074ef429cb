// SPDX-License-Identifier: Apache-2.0
/*
 * Tells the MAC address of each device by every way that there is, a line each:
 * WAY DEVICE ADDRESS. With "raw", calls are made without the C library.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool raw;

/* As Go does it: the number straight into the instruction. */
static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e,
		      r9 __asm__("r9") = f;
	long result;

	if (!raw)
		return syscall(nr, a, b, c, d, e, f);
	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8),
			   "r"(r9) : "rcx", "r11", "memory");
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

static void tell(const char *way, const char *device, const unsigned char *mac)
{
	printf("%s %s %02x:%02x:%02x:%02x:%02x:%02x\n", way, device, mac[0],
	       mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void by_ioctl(const char *device)
{
	struct { uint32_t cmd, size; unsigned char data[6]; } permanent = {
		ETHTOOL_GPERMADDR, 6, { 0 } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, device);
	if (raw ? call(SYS_ioctl, fd, SIOCGIFHWADDR, (long)&r, 0, 0, 0)
		: ioctl(fd, SIOCGIFHWADDR, &r))
		exit(2);
	tell("ioctl", device, (unsigned char *)r.ifr_hwaddr.sa_data);
	r.ifr_data = (void *)&permanent;
	if (call(SYS_ioctl, fd, SIOCETHTOOL, (long)&r, 0, 0, 0) == 0 &&
	    permanent.size == 6)
		tell("permanent", device, permanent.data);
	close(fd);
}

static void by_file(const char *way, const char *device)
{
	char path[100], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "/sys/class/net/%s/address", device);
	fd = raw ? (int)call(SYS_open, (long)path, O_RDONLY, 0, 0, 0, 0)
		 : open(path, O_RDONLY);
	if (fd < 0 && errno == EMFILE) {
		printf("%s %s refused\n", way, device);
		return;
	}
	if (fd < 0 || call(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0) < 0)
		exit(3);
	printf("%s %s %s", way, device, text);
	close(fd);
}

/* Where the program may have one descriptor more, and no other. */
static void by_last_descriptor(const char *device)
{
	struct rlimit was, one;
	int fd = dup(1);

	close(fd);
	getrlimit(RLIMIT_NOFILE, &was);
	one = (struct rlimit){ (rlim_t)fd + 1, was.rlim_max };
	if (setrlimit(RLIMIT_NOFILE, &one))
		exit(8);
	by_file("last", device);
	setrlimit(RLIMIT_NOFILE, &was);
}

static const char *const ways[] = { "recvmsg", "recvfrom", "recvmmsg", "read",
				    "readv", "preadv2" };

/* Into pieces that cut messages wherever it hurts. */
static long receive(int way, int fd, char *to, long size)
{
	struct iovec pieces[] = { { to, 37 }, { to + 37, 5 }, { to + 42, 70 },
				  { to + 112, (size_t)size - 112 } };
	struct mmsghdr many = { { NULL, 0, pieces, 4, NULL, 0, 0 }, 0 };

	switch (way) {
	case 0:
		return raw ? call(SYS_recvmsg, fd, (long)&many.msg_hdr, 0, 0, 0, 0)
			   : recvmsg(fd, &many.msg_hdr, 0);
	case 1:
		return raw ? call(SYS_recvfrom, fd, (long)to, size, 0, 0, 0)
			   : recv(fd, to, (size_t)size, 0);
	case 2:
		if ((raw ? call(SYS_recvmmsg, fd, (long)&many, 1, 0, 0, 0)
			 : recvmmsg(fd, &many, 1, 0, NULL)) != 1)
			return -1;
		return many.msg_len;
	case 3:
		return raw ? call(SYS_read, fd, (long)to, size, 0, 0, 0)
			   : read(fd, to, (size_t)size);
	case 4:
		return raw ? call(SYS_readv, fd, (long)pieces, 4, 0, 0, 0)
			   : readv(fd, pieces, 4);
	default: /* not every C library has it */
		return call(SYS_preadv2, fd, (long)pieces, 4, -1, -1, 0);
	}
}

static void tell_link(const char *way, struct nlmsghdr *h)
{
	struct ifinfomsg *link = NLMSG_DATA(h);
	int left = (int)IFLA_PAYLOAD(h);
	const char *name = "?";
	unsigned char *mac = NULL;

	for (struct rtattr *a = IFLA_RTA(link); RTA_OK(a, left);
	     a = RTA_NEXT(a, left)) {
		if (a->rta_type == IFLA_IFNAME)
			name = RTA_DATA(a);
		if (a->rta_type == IFLA_ADDRESS)
			mac = RTA_DATA(a);
	}
	if (mac)
		tell(way, name, mac);
}

static void by_netlink(int way)
{
	struct { struct nlmsghdr h; struct ifinfomsg m; } ask = {
		{ sizeof(ask), RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 },
		{ 0 } };
	static char buffer[64 << 10] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (send(fd, &ask, sizeof(ask), 0) != sizeof(ask))
		exit(4);
	for (;;) {
		long n = receive(way, fd, buffer, sizeof(buffer));
		struct nlmsghdr *h = (void *)buffer;

		if (n <= 0)
			exit(5);
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE) {
				close(fd);
				return;
			}
			if (h->nlmsg_type == RTM_NEWLINK)
				tell_link(ways[way], h);
		}
	}
}

/* A buffer that the message is cut off at. */
static void by_part(const char *device)
{
	struct { struct nlmsghdr h; struct ifinfomsg m; } ask = {
		{ sizeof(ask), RTM_GETLINK, NLM_F_REQUEST, 1, 0 },
		{ .ifi_index = (int)if_nametoindex(device) } };
	char buffer[512] __attribute__((aligned(8)));
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct nlmsghdr *h = (void *)buffer;
	long n;

	if (send(fd, &ask, sizeof(ask), 0) != sizeof(ask))
		exit(9);
	n = receive(1, fd, buffer, sizeof(buffer));
	if (n != sizeof(buffer) || h->nlmsg_len <= sizeof(buffer))
		exit(10);
	h->nlmsg_len = sizeof(buffer);
	tell_link("part", h);
	close(fd);
}

/* What looks like such a message, and is none, stays as it is. */
static void by_pipe(void)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
		struct rtattr a;
		unsigned char mac[6];
	} __attribute__((packed)) m = {
		{ sizeof(m), RTM_NEWLINK, 0, 0, 0 }, { .ifi_type = 1 },
		{ 10, IFLA_ADDRESS }, { 1, 2, 3, 4, 5, 6 } };
	int fds[2];

	if (pipe(fds) || write(fds[1], &m, sizeof(m)) != sizeof(m))
		exit(6);
	memset(&m, 0, sizeof(m));
	if (call(SYS_read, fds[0], (long)&m, sizeof(m), 0, 0, 0) != sizeof(m))
		exit(7);
	tell("pipe", "none", m.mac);
}

int main(int argc, char **argv)
{
	struct if_nameindex *all = if_nameindex();

	raw = argc > 1 && strcmp(argv[1], "raw") == 0;
	for (struct if_nameindex *one = all; one->if_index; one++) {
		by_ioctl(one->if_name);
		by_file("file", one->if_name);
		by_last_descriptor(one->if_name);
		by_part(one->if_name);
	}
	for (int way = 0; way < 6; way++)
		by_netlink(way);
	by_pipe();
	return 0;
}
