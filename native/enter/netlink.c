// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include "die.h"
#include "netlink.h"
#include "report.h"
#include "shape.h"
#include "sys.h"

#define LINK_UP 1U		/* IFF_UP */

struct request {
	struct nlmsghdr head;
	char room[2048];
};

/* An address or a network of either family. */
struct address {
	int family;
	unsigned char bytes[16];
	size_t length;
	unsigned int prefix;
	bool has_prefix;
};

int net_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int on = 1;

	if (fd < 0)
		fail_errno("cannot open a netlink socket");
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return fd;
}

static void *begin(struct request *r, int type, int flags, size_t body)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_type = (uint16_t)type;
	r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	r->head.nlmsg_len = NLMSG_LENGTH(body);
	return NLMSG_DATA(&r->head);
}

static struct rtattr *put(struct request *r, int type, const void *p, size_t n)
{
	size_t at = NLMSG_ALIGN(r->head.nlmsg_len);
	struct rtattr *attr = (struct rtattr *)(void *)((char *)r + at);

	if (at + RTA_ALIGN(RTA_LENGTH(n)) > sizeof(*r))
		fail("netlink request too long");
	attr->rta_type = (uint16_t)type;
	attr->rta_len = (uint16_t)RTA_LENGTH(n);
	if (n > 0)
		memcpy(RTA_DATA(attr), p, n);
	r->head.nlmsg_len = (uint32_t)(at + RTA_ALIGN(RTA_LENGTH(n)));
	return attr;
}

static void put_text(struct request *r, int type, const char *text)
{
	put(r, type, text, strlen(text) + 1);
}

static void put_number(struct request *r, int type, uint32_t value)
{
	put(r, type, &value, sizeof(value));
}

static void end_nest(const struct request *r, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((const char *)r +
				   NLMSG_ALIGN(r->head.nlmsg_len) -
				   (const char *)nest);
}

/* talk() - send, and receive the answer. Return: 0 or a negative errno; what
 * the kernel says about it is kept for the message. */
static char kernel_says[256];

static int answer(const char *buf, size_t length)
{
	const struct nlmsghdr *head = (const struct nlmsghdr *)(const void *)buf;
	const struct nlmsgerr *error;
	size_t at;

	if (length < NLMSG_LENGTH(sizeof(*error)) ||
	    head->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	error = NLMSG_DATA(head);
	at = NLMSG_LENGTH(sizeof(*error));
	while (head->nlmsg_flags & NLM_F_ACK_TLVS &&
	       at + sizeof(struct rtattr) <= length) {
		const struct rtattr *attr =
			(const struct rtattr *)(const void *)(buf + at);

		if (attr->rta_len < sizeof(*attr) ||
		    at + attr->rta_len > length)
			break;
		if (attr->rta_type == NLMSGERR_ATTR_MSG)
			snprintf(kernel_says, sizeof(kernel_says), " (%.*s)",
				 (int)(attr->rta_len - sizeof(*attr)),
				 (const char *)attr + sizeof(*attr));
		at += RTA_ALIGN(attr->rta_len);
	}
	return error->error;
}

static int talk(int fd, struct request *r)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	ssize_t n;

	kernel_says[0] = 0;
	if (send(fd, r, r->head.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : answer(buf, (size_t)n);
}

__attribute__((noreturn))
static void fail_net(int error, const char *what, const char *name)
{
	errno = -error;
	fail_errno("network: %s %s%s", what, name, kernel_says);
}

static void check_name(const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ :") ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		fail("not a name of a network interface: %s", name);
}

static struct address parse_address(const char *text)
{
	struct address a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	char host[INET6_ADDRSTRLEN + 1];
	size_t n = strcspn(text, "/");
	char *end;

	if (n >= sizeof(host))
		fail("not an address: %s", text);
	memcpy(host, text, n);
	host[n] = 0;
	if (inet_pton(a.family, host, a.bytes) != 1)
		fail("not an address: %s", text);
	a.length = a.family == AF_INET ? 4 : 16;
	a.prefix = (unsigned int)a.length * 8;
	if (text[n] == '/') {
		unsigned long bits = strtoul(text + n + 1, &end, 10);

		if (end == text + n + 1 || *end || bits > a.prefix)
			fail("not a prefix length: %s", text);
		a.prefix = (unsigned int)bits;
		a.has_prefix = true;
	}
	return a;
}

static void parse_mac(const char *text, unsigned char mac[6])
{
	char rest;

	if (strlen(text) != 17 ||
	    sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &mac[0],
		   &mac[1], &mac[2], &mac[3], &mac[4], &mac[5], &rest) != 6)
		fail("not a MAC address: %s", text);
	if (mac[0] & 1)
		fail("a group address cannot be the MAC of an interface: %s",
		     text);
}

static void link_up(int fd, const char *name)
{
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK, 0, sizeof(*link));
	int error;

	link->ifi_flags = LINK_UP;
	link->ifi_change = LINK_UP;
	put_text(&r, IFLA_IFNAME, name);
	error = talk(fd, &r);
	if (error)
		fail_net(error, "cannot bring up", name);
}

void net_loopback_up(void)
{
	int fd = net_open();

	link_up(fd, "lo");
	close(fd);
}

/* add_address() - an address that is there already is what was asked for. */
static void add_address(int fd, const char *link, const char *text)
{
	struct address a = parse_address(text);
	struct request r;
	struct ifaddrmsg *m = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
				    sizeof(*m));
	int error;

	if (!a.has_prefix)
		fail("an address needs a prefix length: %s", text);
	m->ifa_family = (uint8_t)a.family;
	m->ifa_prefixlen = (uint8_t)a.prefix;
	m->ifa_index = if_nametoindex(link);
	/* Nobody else has it: without waiting for that to be proved. */
	m->ifa_flags = a.family == AF_INET6 ? IFA_F_NODAD : 0;
	put(&r, IFA_LOCAL, a.bytes, a.length);
	put(&r, IFA_ADDRESS, a.bytes, a.length);
	if (a.family == AF_INET && a.prefix < 31) {
		unsigned char last[4];

		for (unsigned int i = 0; i < 4; i++) {
			unsigned int bits = a.prefix <= i * 8 ? 0 :
				a.prefix >= i * 8 + 8 ? 8 : a.prefix - i * 8;

			last[i] = (unsigned char)(a.bytes[i] | 0xffU >> bits);
		}
		put(&r, IFA_BROADCAST, last, sizeof(last));
	}
	error = talk(fd, &r);
	if (error && error != -EEXIST)
		fail_net(error, "cannot add address", text);
}

/* add_default_route() - @link: the device, or NULL for the one that the gateway
 * is behind. One that is there already stays. */
static void add_default_route(int fd, const char *link, const char *gateway)
{
	struct address a = parse_address(gateway);
	struct request r;
	struct rtmsg *m = begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL,
				sizeof(*m));
	int error;

	m->rtm_family = (uint8_t)a.family;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	put(&r, RTA_GATEWAY, a.bytes, a.length);
	if (link)
		put_number(&r, RTA_OIF, if_nametoindex(link));
	error = talk(fd, &r);
	if (error && error != -EEXIST)
		fail_net(error, "cannot add a route by", gateway);
}

/* One message makes both ends: there is no moment with half of them. */
static int create_veth(int host, const struct veth *v, uint32_t bridge, int ns)
{
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK,
				       NLM_F_CREATE | NLM_F_EXCL, sizeof(*link));
	struct rtattr *info, *data, *peer;
	const struct ifinfomsg peer_link = { 0 };	/* not up before paired */
	unsigned char mac[6];

	link->ifi_flags = LINK_UP;
	link->ifi_change = LINK_UP;
	put_text(&r, IFLA_IFNAME, v->name);
	put_number(&r, IFLA_MASTER, bridge);
	info = put(&r, IFLA_LINKINFO, NULL, 0);
	put(&r, IFLA_INFO_KIND, "veth", 4);
	data = put(&r, IFLA_INFO_DATA, NULL, 0);
	peer = put(&r, VETH_INFO_PEER, &peer_link, sizeof(peer_link));
	put_text(&r, IFLA_IFNAME, v->inside);
	put_number(&r, IFLA_NET_NS_FD, (uint32_t)ns);
	if (v->mac) {
		parse_mac(v->mac, mac);
		put(&r, IFLA_ADDRESS, mac, sizeof(mac));
	}
	end_nest(&r, peer);
	end_nest(&r, data);
	end_nest(&r, info);
	return talk(host, &r);
}

static const struct rtattr *find(const void *first, size_t length, int type)
{
	const char *at = first;

	while (length >= sizeof(struct rtattr)) {
		const struct rtattr *attr =
			(const struct rtattr *)(const void *)at;
		size_t step = RTA_ALIGN(attr->rta_len);

		if (attr->rta_len < sizeof(*attr) || attr->rta_len > length)
			break;
		if ((attr->rta_type & NLA_TYPE_MASK) == type)
			return attr;
		if (step > length)
			break;
		at += step;
		length -= step;
	}
	return NULL;
}

static bool kind_is(const struct ifinfomsg *link, size_t length,
		    const char *kind)
{
	size_t body = NLMSG_ALIGN(sizeof(*link));
	const struct rtattr *info, *name;

	if (length < body)
		return false;
	info = find((const char *)link + body, length - body, IFLA_LINKINFO);
	if (!info)
		return false;
	name = find((const char *)info + sizeof(*info),
		    info->rta_len - sizeof(*info), IFLA_INFO_KIND);
	return name && strncmp((const char *)name + sizeof(*name), kind,
			       name->rta_len - sizeof(*name)) == 0;
}

/* link_index() - Return: 0 where there is no such interface. One of another
 * kind is not ours. */
static uint32_t link_index(int fd, const char *name, const char *kind)
{
	struct request r;
	_Alignas(struct nlmsghdr) char buf[32768];
	const struct nlmsghdr *head = (const void *)buf;
	const struct ifinfomsg *link;
	ssize_t n;

	check_name(name);
	begin(&r, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	r.head.nlmsg_flags = NLM_F_REQUEST;
	put_text(&r, IFLA_IFNAME, name);
	if (send(fd, &r, r.head.nlmsg_len, 0) < 0)
		fail_errno("network: cannot ask for %s", name);
	n = recv(fd, buf, sizeof(buf), 0);
	if (n < 0)
		fail_errno("network: cannot ask for %s", name);
	if ((size_t)n < NLMSG_LENGTH(sizeof(*link)) ||
	    head->nlmsg_type != RTM_NEWLINK) {
		int error = answer(buf, (size_t)n);

		if (error != -ENODEV)
			fail_net(error, "cannot ask for", name);
		return 0;
	}
	link = NLMSG_DATA(head);
	if (!kind_is(link, (size_t)n - NLMSG_HDRLEN, kind))
		fail("network: %s is there, but is no %s", name, kind);
	return (uint32_t)link->ifi_index;
}

/*
 * set_hairpin() - a port that may get back what it has sent. Where bridges call
 * the rules of the host for what they forward (br_netfilter), a connection of an
 * instance to a port that it publishes itself never leaves the bridge.
 */
static void set_hairpin(int host, const char *name)
{
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_SETLINK, 0, sizeof(*link));
	struct rtattr *nest;
	uint8_t on = 1;
	int error;

	link->ifi_family = AF_BRIDGE;
	link->ifi_index = (int)link_index(host, name, "veth");
	nest = put(&r, IFLA_PROTINFO | NLA_F_NESTED, NULL, 0);
	put(&r, IFLA_BRPORT_MODE, &on, sizeof(on));
	end_nest(&r, nest);
	error = talk(host, &r);
	if (error)
		fail_net(error, "cannot set the mode of", name);
}

/* free_inside() - the first ethN that the namespace we are in has not got. */
static const char *free_inside(void)
{
	static char name[IFNAMSIZ];

	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "eth%u", i);
		if (if_nametoindex(name) == 0)
			return name;
	}
	fail("network: no name is left for a further device");
}

void net_veth(int host, const struct veth *given)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	cleanup_fd int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cleanup_fd int here = net_open();
	uint32_t bridge = link_index(host, given->bridge, "bridge");
	struct veth v = *given;
	int error = 0;

	check_name(v.name);
	if (bridge == 0)
		fail("network: no bridge %s", v.bridge);
	if (ns < 0)
		fail_errno("cannot open the network namespace");
	if (!v.inside)
		v.inside = free_inside();
	/* The kernel takes down a namespace after its last process is gone:
	 * the name of an instance just ended may be taken for a moment. */
	for (int i = 0; i < 100; i++) {
		error = create_veth(host, &v, bridge, ns);
		if (error != -EEXIST)
			break;
		nanosleep(&pause, NULL);
	}
	if (error)
		fail_net(error, "cannot make", v.name);
	if (v.ingress)
		shape(host, link_index(host, v.name, "veth"), v.ingress);
	if (v.egress)
		shape(here, if_nametoindex(v.inside), v.egress);
	if (v.hairpin)
		set_hairpin(host, v.name);
	link_up(here, v.inside);
	for (size_t i = 0; i < v.address_count; i++)
		add_address(here, v.inside, v.addresses[i]);
	for (size_t i = 0; i < v.gateway_count; i++)
		add_default_route(here, v.inside, v.gateways[i]);
}

void net_loopback_address(const char *address)
{
	cleanup_fd int here = net_open();

	add_address(here, "lo", address);
}

void net_route(const char *gateway)
{
	cleanup_fd int here = net_open();

	add_default_route(here, NULL, gateway);
}

/* remove_link() - with what is behind it; done where it is not there. */
static void remove_link(int fd, const char *name, const char *kind)
{
	struct request r;
	int error = 0;

	check_name(name);
	if (link_index(fd, name, kind) != 0) {
		begin(&r, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
		put_text(&r, IFLA_IFNAME, name);
		error = talk(fd, &r);
	}
	if (error && error != -ENODEV)
		fail_net(error, "cannot remove", name);
}

void net_unplug(int host, const char *name)
{
	remove_link(host, name, "veth");
}

/* A fixed MAC, or the bridge takes one of its ports' and changes it with
 * them, and what the instances have learnt is wrong. */
static void bridge_mac(const char *address, unsigned char mac[6])
{
	struct address a = parse_address(address);

	mac[0] = 0x02;
	mac[1] = 0x74;
	memcpy(mac + 2, a.bytes + a.length - 4, 4);
}

static void bridge_up(const char *name, char **addresses)
{
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK,
				       NLM_F_CREATE | NLM_F_EXCL, sizeof(*link));
	struct rtattr *info;
	unsigned char mac[6];
	int fd = net_open();
	int error;

	link->ifi_flags = LINK_UP;
	link->ifi_change = LINK_UP;
	put_text(&r, IFLA_IFNAME, name);
	bridge_mac(addresses[0], mac);
	put(&r, IFLA_ADDRESS, mac, sizeof(mac));
	info = put(&r, IFLA_LINKINFO, NULL, 0);
	put(&r, IFLA_INFO_KIND, "bridge", 6);
	end_nest(&r, info);
	error = talk(fd, &r);
	if (error == -EEXIST) {
		link_index(fd, name, "bridge");
		link_up(fd, name);
	} else if (error) {
		fail_net(error, "cannot make bridge", name);
	}
	for (; *addresses; addresses++)
		add_address(fd, name, *addresses);
	close(fd);
}

static void bridge_down(const char *name)
{
	int fd = net_open();

	remove_link(fd, name, "bridge");
	close(fd);
}

int bridge_main(char **args)
{
	size_t count = 0;

	while (args[count])
		count++;
	if (count >= 3 && strcmp(args[0], "up") == 0) {
		check_name(args[1]);
		bridge_up(args[1], args + 2);
	} else if (count == 2 && strcmp(args[0], "down") == 0) {
		bridge_down(args[1]);
	} else {
		fail("bridge: expected: up NAME ADDRESS/PREFIX..., down NAME");
	}
	return 0;
}
