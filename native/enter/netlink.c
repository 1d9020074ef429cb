// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"
#include "report.h"

/* What the kernel said of the last request, for the message. */
static char kernel_says[256];

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

void *begin(struct request *r, int type, int flags, size_t body)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_type = (uint16_t)type;
	r->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	r->head.nlmsg_len = NLMSG_LENGTH(body);
	return NLMSG_DATA(&r->head);
}

struct rtattr *put(struct request *r, int type, const void *p, size_t n)
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

void put_text(struct request *r, int type, const char *text)
{
	put(r, type, text, strlen(text) + 1);
}

void put_number(struct request *r, int type, uint32_t value)
{
	put(r, type, &value, sizeof(value));
}

void end_nest(const struct request *r, struct rtattr *nest)
{
	nest->rta_len = (uint16_t)((const char *)r +
				   NLMSG_ALIGN(r->head.nlmsg_len) -
				   (const char *)nest);
}

int answer(const char *buf, size_t length)
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

int talk(int fd, struct request *r)
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

void fail_net(int error, const char *what, const char *name)
{
	errno = -error;
	fail_errno("network: %s %s%s", what, name, kernel_says);
}
