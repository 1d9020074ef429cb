/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and default routes of network devices. */
#ifndef TRANSHIP_ENTER_ADDRESS_H
#define TRANSHIP_ENTER_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* An address or a network of either family. */
struct address {
	int family;
	unsigned char bytes[16];
	size_t length;
	unsigned int prefix;
	bool has_prefix;
};

/* parse_address(), parse_mac() - fail in words. */
struct address parse_address(const char *text);
void parse_mac(const char *text, unsigned char mac[6]);

/* add_address() - an address that is there already is what was asked for. */
void add_address(int fd, const char *link, const char *text);
/* add_default_route() - @link: the device, or NULL for the one that the gateway
 * is behind. One that is there already stays. */
void add_default_route(int fd, const char *link, const char *gateway);

/* net_loopback_address() - of the present network namespace. */
void net_loopback_address(const char *address);
/* net_route() - the default route of the present namespace. */
void net_route(const char *gateway);

#endif
