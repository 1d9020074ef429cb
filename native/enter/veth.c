// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/veth.h>

#include "address.h"
#include "die.h"
#include "link.h"
#include "netlink.h"
#include "report.h"
#include "shape.h"
#include "veth.h"

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

void net_unplug(int host, const char *name)
{
	remove_link(host, name, "veth");
}
