// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "die.h"
#include "netlink.h"
#include "report.h"
#include "shape.h"

/* How much may wait, and how much may go at once; and the least of both. */
#define QUEUE_PART 5		/* of a second: 200 ms */
#define QUEUE_LEAST (64U << 10)
#define BURST_PART 50		/* 20 ms */
#define BURST_LEAST (16U << 10)

struct message {
	struct nlmsghdr head;
	struct tcmsg tc;
	char room[256];
};

static struct rtattr *put(struct message *m, int type, const void *p, size_t n)
{
	size_t at = NLMSG_ALIGN(m->head.nlmsg_len);
	struct rtattr *attr = (struct rtattr *)(void *)((char *)m + at);

	attr->rta_type = (uint16_t)type;
	attr->rta_len = (uint16_t)RTA_LENGTH(n);
	if (n > 0)
		memcpy(RTA_DATA(attr), p, n);
	m->head.nlmsg_len = (uint32_t)(at + RTA_ALIGN(RTA_LENGTH(n)));
	return attr;
}

static uint32_t part_of(uint64_t rate, uint32_t part, uint32_t least)
{
	uint64_t size = rate / part;

	if (size > UINT32_MAX / 4)
		size = UINT32_MAX / 4;
	return size < least ? least : (uint32_t)size;
}

static void put_bucket(struct message *m, uint64_t rate)
{
	struct tc_tbf_qopt o = { 0 };
	uint32_t burst = part_of(rate, BURST_PART, BURST_LEAST);
	struct rtattr *options;

	put(m, TCA_KIND, "tbf", sizeof("tbf"));
	o.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
	o.rate.linklayer = TC_LINKLAYER_ETHERNET;
	o.limit = part_of(rate, QUEUE_PART, QUEUE_LEAST) + burst;
	options = put(m, TCA_OPTIONS, NULL, 0);
	put(m, TCA_TBF_PARMS, &o, sizeof(o));
	put(m, TCA_TBF_BURST, &burst, sizeof(burst));
	if (rate > UINT32_MAX)
		put(m, TCA_TBF_RATE64, &rate, sizeof(rate));
	options->rta_len = (uint16_t)((const char *)m + m->head.nlmsg_len -
				      (const char *)options);
}

static int talk(int fd, const struct message *m)
{
	_Alignas(struct nlmsghdr) char buf[4096];
	const struct nlmsghdr *head = (const void *)buf;
	const struct nlmsgerr *error = NLMSG_DATA(head);
	ssize_t n;

	if (send(fd, m, m->head.nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*error)) ||
	    head->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return error->error;
}

void shape(int fd, uint32_t index, uint64_t rate)
{
	struct message m = { .head.nlmsg_len = NLMSG_LENGTH(sizeof(m.tc)) };
	int error;

	m.head.nlmsg_type = rate ? RTM_NEWQDISC : RTM_DELQDISC;
	m.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (rate)
		m.head.nlmsg_flags |= NLM_F_CREATE | NLM_F_REPLACE;
	m.tc.tcm_ifindex = (int)index;
	m.tc.tcm_parent = TC_H_ROOT;
	if (rate)
		put_bucket(&m, rate);
	error = talk(fd, &m);
	/* What has no limit has none to take away. */
	if (!error || (!rate && (error == -ENOENT || error == -EINVAL)))
		return;
	errno = -error;
	fail_errno("network: cannot limit the rate (the kernel needs sch_tbf)");
}

int shape_main(char **args)
{
	cleanup_fd int fd = net_open();
	unsigned long long rate;
	unsigned int index;
	char *end;

	if (!args[0] || !args[1] || args[2])
		fail("shape: expected: DEVICE RATE");
	errno = 0;
	rate = strtoull(args[1], &end, 10);
	if (errno || end == args[1] || *end)
		fail("shape: not a rate: %s", args[1]);
	index = if_nametoindex(args[0]);
	if (index == 0)
		fail("shape: no device %s", args[0]);
	shape(fd, index, rate);
	return 0;
}
