// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if_addr.h>

#include "address.h"
#include "die.h"
#include "netlink.h"
#include "report.h"

struct address parse_address(const char *text)
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

void parse_mac(const char *text, unsigned char mac[6])
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

void add_address(int fd, const char *link, const char *text)
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

void add_default_route(int fd, const char *link, const char *gateway)
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
