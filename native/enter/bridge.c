// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "bridge.h"
#include "link.h"
#include "netlink.h"
#include "report.h"

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
