// SPDX-License-Identifier: Apache-2.0
/*
 * Where a flow leads is decided at its first packet and kept as long as packets
 * come: a client of UDP that goes on sending, from one port, would be led for
 * ever to where nothing was, or to where its instance was before. So what the
 * kernel knows of a port is taken out when that changes; the next packet is
 * then decided about anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "address.h"
#include "flows.h"
#include "netlink.h"
#include "report.h"

struct end {
	uint8_t protocol;
	uint16_t port;
	struct address address;
	bool any;
};

/* Of one message of the kernel; what it does not have is NULL. */
struct flow {
	int family;
	const struct rtattr *tuple, *zone, *id;
	uint8_t protocol;
	uint16_t port;
	const unsigned char *destination;
};

static struct end *ends;
static size_t end_count;

static struct end parse_end(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct end e = { 0 };
	unsigned long port;
	const char *at;
	char *rest;
	size_t n;

	if (strncmp(text, "udp,", 4) == 0)
		e.protocol = IPPROTO_UDP;
	else if (strncmp(text, "tcp,", 4) == 0)
		e.protocol = IPPROTO_TCP;
	else
		fail("flows: neither udp nor tcp: %s", text);
	at = text + 4;
	n = strcspn(at, ",");
	if (at[n] != ',' || n >= sizeof(address))
		fail("flows: not PROTOCOL,ADDRESS,PORT: %s", text);
	memcpy(address, at, n);
	address[n] = 0;
	e.address = parse_address(address);
	at += n + 1;
	port = strtoul(at, &rest, 10);
	if (rest == at || *rest || port < 1 || port > USHRT_MAX)
		fail("flows: not a port: %s", text);
	e.port = (uint16_t)port;
	e.any = true;
	for (size_t i = 0; i < e.address.length; i++)
		e.any = e.any && e.address.bytes[i] == 0;
	return e;
}

static const struct rtattr *find(const void *at, size_t size, int type)
{
	const char *p = at;

	while (size >= sizeof(struct rtattr)) {
		const struct rtattr *a =
			(const struct rtattr *)(const void *)p;
		size_t step = RTA_ALIGN(a->rta_len);

		if (a->rta_len < sizeof(*a) || a->rta_len > size)
			return NULL;
		if ((a->rta_type & NLA_TYPE_MASK) == type)
			return a;
		if (step >= size)
			return NULL;
		p += step;
		size -= step;
	}
	return NULL;
}

static const struct rtattr *within(const struct rtattr *a, int type, size_t n)
{
	const struct rtattr *found = a ? find((const char *)a + RTA_LENGTH(0),
					      a->rta_len - RTA_LENGTH(0), type)
				       : NULL;

	return found && found->rta_len >= RTA_LENGTH(n) ? found : NULL;
}

static const unsigned char *value(const struct rtattr *a)
{
	return (const unsigned char *)a + RTA_LENGTH(0);
}

static bool read_flow(const struct nlmsghdr *m, struct flow *f)
{
	const struct nfgenmsg *g = NLMSG_DATA(m);
	size_t skip = NLMSG_LENGTH(sizeof(*g));
	const struct rtattr *ip, *proto, *port, *number;
	const char *attributes = (const char *)m + skip;
	bool six;

	if (m->nlmsg_len < skip)
		return false;
	six = g->nfgen_family == AF_INET6;
	*f = (struct flow){ .family = g->nfgen_family };
	f->tuple = find(attributes, m->nlmsg_len - skip, CTA_TUPLE_ORIG);
	f->zone = find(attributes, m->nlmsg_len - skip, CTA_ZONE);
	f->id = find(attributes, m->nlmsg_len - skip, CTA_ID);
	ip = within(within(f->tuple, CTA_TUPLE_IP, 0),
		    six ? CTA_IP_V6_DST : CTA_IP_V4_DST, six ? 16 : 4);
	proto = within(f->tuple, CTA_TUPLE_PROTO, 0);
	number = within(proto, CTA_PROTO_NUM, 1);
	port = within(proto, CTA_PROTO_DST_PORT, 2);
	if (!ip || !number || !port)
		return false;
	f->destination = value(ip);
	f->protocol = *value(number);
	f->port = (uint16_t)(value(port)[0] << 8 | value(port)[1]);
	return true;
}

/* is_local() - whether the host has the address, as the rules ask for it. */
static bool is_local(int route, const struct flow *f)
{
	_Alignas(struct nlmsghdr) char buf[8192];
	const struct nlmsghdr *head = (const void *)buf;
	const struct rtmsg *answered = NLMSG_DATA(head);
	size_t length = f->family == AF_INET6 ? 16 : 4;
	struct request r;
	struct rtmsg *m = begin(&r, RTM_GETROUTE, 0, sizeof(*m));
	ssize_t n;

	/* Without a device there is no route to it, and nobody forwards it. */
	if (f->family == AF_INET6 && f->destination[0] == 0xfe &&
	    (f->destination[1] & 0xc0) == 0x80)
		return true;
	r.head.nlmsg_flags = NLM_F_REQUEST;
	m->rtm_family = (unsigned char)f->family;
	m->rtm_dst_len = (unsigned char)(length * 8);
	put(&r, RTA_DST, f->destination, length);
	if (send(route, &r, r.head.nlmsg_len, 0) < 0)
		return false;
	do {
		n = recv(route, buf, sizeof(buf), 0);
	} while (n < 0 && errno == EINTR);
	return n >= (ssize_t)NLMSG_LENGTH(sizeof(*answered)) &&
	       head->nlmsg_type == RTM_NEWROUTE &&
	       answered->rtm_type == RTN_LOCAL;
}

static bool is_meant(int route, const struct flow *f)
{
	for (size_t i = 0; i < end_count; i++) {
		const struct end *e = &ends[i];

		if (e->port != f->port || e->protocol != f->protocol ||
		    e->address.family != f->family)
			continue;
		if (e->any ? is_local(route, f)
			   : memcmp(e->address.bytes, f->destination,
				    e->address.length) == 0)
			return true;
	}
	return false;
}

static struct request ask(int message, int flags, int family)
{
	struct request r;
	struct nfgenmsg *g = begin(&r, NFNL_SUBSYS_CTNETLINK << 8 | message,
				   flags, sizeof(*g));

	g->nfgen_family = (uint8_t)family;
	g->version = NFNETLINK_V0;
	return r;
}

static void forget(int fd, const struct flow *f)
{
	const struct rtattr *parts[] = { f->tuple, f->zone, f->id };
	struct request r = ask(IPCTNL_MSG_CT_DELETE, 0, f->family);
	int error;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i])
			put(&r, parts[i]->rta_type, value(parts[i]),
			    parts[i]->rta_len - RTA_LENGTH(0));
	error = talk(fd, &r);
	if (error && error != -ENOENT)	/* it ended, or is another by now */
		fail_net(error, "cannot forget", "a flow");
}

/* Return: false at the end */
static bool read_part(int list, int other, int route)
{
	static _Alignas(struct nlmsghdr) char buf[65536];
	const struct nlmsghdr *m = (const void *)buf;
	struct flow f;
	ssize_t n;

	do {
		n = recv(list, buf, sizeof(buf), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		fail_errno("network: cannot list flows");
	while (n >= (ssize_t)sizeof(*m) && m->nlmsg_len >= sizeof(*m) &&
	       m->nlmsg_len <= (size_t)n) {
		size_t step = NLMSG_ALIGN(m->nlmsg_len);

		if (m->nlmsg_type == NLMSG_DONE)
			return false;
		if (m->nlmsg_type == NLMSG_ERROR)
			fail_net(answer((const char *)m, (size_t)n),
				 "cannot list", "flows");
		if (read_flow(m, &f) && is_meant(route, &f))
			forget(other, &f);
		m = (const void *)((const char *)m + step);
		n -= (ssize_t)step;
	}
	return true;
}

static int open_netfilter(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			NETLINK_NETFILTER);

	if (fd < 0)
		fail_errno("network: cannot ask for flows");
	return fd;
}

static void forget_family(int family)
{
	struct request r = ask(IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
	int list = open_netfilter(), other = open_netfilter();
	int route = net_open();

	if (send(list, &r, r.head.nlmsg_len, 0) < 0)
		fail_errno("network: cannot list flows");
	while (read_part(list, other, route))
		;
	close(list);
	close(other);
	close(route);
}

int flows_main(char **args)
{
	static const int families[] = { AF_INET, AF_INET6 };
	size_t i, j;

	while (args[end_count])
		end_count++;
	if (end_count < 2 || strcmp(args[0], "forget") != 0)
		fail("flows: expected: forget PROTOCOL,ADDRESS,PORT...");
	end_count--;
	ends = calloc(end_count, sizeof(*ends));
	if (!ends)
		fail("out of memory");
	for (i = 0; i < end_count; i++)
		ends[i] = parse_end(args[i + 1]);
	for (j = 0; j < sizeof(families) / sizeof(families[0]); j++) {
		for (i = 0; i < end_count; i++)
			if (ends[i].address.family == families[j])
				break;
		if (i < end_count)
			forget_family(families[j]);
	}
	free(ends);
	return 0;
}
