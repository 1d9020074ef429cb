// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>

#include <linux/pkt_sched.h>

#include "die.h"
#include "netlink.h"
#include "report.h"
#include "shape.h"

/* How much may wait, and how much may go at once; and the least of both. */
#define QUEUE_PART 5		/* of a second: 200 ms */
#define QUEUE_LEAST (64U << 10)
#define BURST_PART 50		/* 20 ms */
#define BURST_LEAST (16U << 10)

static uint32_t part_of(uint64_t rate, uint32_t part, uint32_t least)
{
	uint64_t size = rate / part;

	if (size > UINT32_MAX / 4)
		size = UINT32_MAX / 4;
	return size < least ? least : (uint32_t)size;
}

static void put_bucket(struct request *r, uint64_t rate)
{
	struct tc_tbf_qopt o = { 0 };
	uint32_t burst = part_of(rate, BURST_PART, BURST_LEAST);
	struct rtattr *options;

	put(r, TCA_KIND, "tbf", sizeof("tbf"));
	o.rate.rate = rate > UINT32_MAX ? UINT32_MAX : (uint32_t)rate;
	o.rate.linklayer = TC_LINKLAYER_ETHERNET;
	o.limit = part_of(rate, QUEUE_PART, QUEUE_LEAST) + burst;
	options = put(r, TCA_OPTIONS, NULL, 0);
	put(r, TCA_TBF_PARMS, &o, sizeof(o));
	put(r, TCA_TBF_BURST, &burst, sizeof(burst));
	if (rate > UINT32_MAX)
		put(r, TCA_TBF_RATE64, &rate, sizeof(rate));
	end_nest(r, options);
}

void shape(int fd, uint32_t index, uint64_t rate)
{
	struct request r;
	struct tcmsg *m = begin(&r, rate ? RTM_NEWQDISC : RTM_DELQDISC,
				rate ? NLM_F_CREATE | NLM_F_REPLACE : 0,
				sizeof(*m));
	int error;

	m->tcm_ifindex = (int)index;
	m->tcm_parent = TC_H_ROOT;
	if (rate)
		put_bucket(&r, rate);
	error = talk(fd, &r);
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
