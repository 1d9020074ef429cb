// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "netlink.h"
#include "report.h"

void check_name(const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ || strpbrk(name, "/ :") ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		fail("not a name of a network interface: %s", name);
}

void link_up(int fd, const char *name)
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

uint32_t link_index(int fd, const char *name, const char *kind)
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

void remove_link(int fd, const char *name, const char *kind)
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
