// SPDX-License-Identifier: Apache-2.0
/* Packets that the queues of a limited network dropped, by rtnetlink. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/gen_stats.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "breaches.h"

struct end {
	int socket;		/* in the namespace of the device; -1: not yet */
	int index;
	uint64_t last;
};

static struct end host = { .socket = -1 }, inside = { .socket = -1 };

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

static const struct rtattr *find(const struct rtattr *at, int left, int type)
{
	for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	return NULL;
}

static uint64_t drops_of(const struct nlmsghdr *head, int index)
{
	const struct tcmsg *tc = NLMSG_DATA(head);
	const struct rtattr *stats, *queue;
	struct gnet_stats_queue q;

	if (head->nlmsg_type != RTM_NEWQDISC || tc->tcm_ifindex != index)
		return 0;
	stats = find(TCA_RTA(tc), (int)NLMSG_PAYLOAD(head, sizeof(*tc)),
		     TCA_STATS2);
	queue = stats ? find(RTA_DATA(stats), (int)RTA_PAYLOAD(stats),
			     TCA_STATS_QUEUE) : NULL;
	if (!queue || RTA_PAYLOAD(queue) < sizeof(q))
		return 0;
	memcpy(&q, RTA_DATA(queue), sizeof(q));
	return q.drops;
}

/* ask() - the drops of all queues of the device together. */
static uint64_t ask(const struct end *e)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg tc;
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = RTM_GETQDISC,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.tc.tcm_ifindex = e->index,
	};
	_Alignas(struct nlmsghdr) char buf[32768];
	uint64_t drops = 0;

	if (send(e->socket, &request, sizeof(request), 0) < 0)
		return e->last;
	for (;;) {
		ssize_t n = recv(e->socket, buf, sizeof(buf), 0);
		const struct nlmsghdr *head = (const void *)buf;

		if (n <= 0)
			return drops;
		for (int left = (int)n; NLMSG_OK(head, left);
		     head = NLMSG_NEXT(head, left)) {
			if (head->nlmsg_type == NLMSG_DONE ||
			    head->nlmsg_type == NLMSG_ERROR)
				return drops;
			drops += drops_of(head, e->index);
		}
	}
}

static void look(struct end *e, enum kind_of kind)
{
	uint64_t now = ask(e);

	if (now > e->last)
		tell(kind, now - e->last, "");
	e->last = now;
}

/* join() - a socket in the namespace of the runtime; we come back at once. */
static void join(int pid)
{
	char path[64];
	int ours = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int theirs;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	theirs = open(path, O_RDONLY | O_CLOEXEC);
	if (ours >= 0 && theirs >= 0 && setns(theirs, CLONE_NEWNET) == 0) {
		inside.index = (int)if_nametoindex("eth0");
		if (inside.index > 0)
			inside.socket = open_netlink();
		if (setns(ours, CLONE_NEWNET) < 0)
			_exit(125);
	}
	if (theirs >= 0)
		close(theirs);
	if (ours >= 0)
		close(ours);
}

void drops_begin(const struct options *o)
{
	if (o->device)
		host.socket = open_netlink();
}

void drops_look(const struct options *o)
{
	if (o->device && host.index == 0)
		host.index = (int)if_nametoindex(o->device);
	if (host.socket >= 0 && host.index > 0)
		look(&host, KIND_INGRESS);
	if (o->sends && inside.socket < 0)
		join(o->pid);
	if (inside.socket >= 0)
		look(&inside, KIND_EGRESS);
}
