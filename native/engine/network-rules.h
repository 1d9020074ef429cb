/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that lead elsewhere: the section NETW of policy.bin. Which rule
 * fits, and which address the application has for one of the kernel's. Pure.
 */
#ifndef TRANSHIP_ENGINE_NETWORK_RULES_H
#define TRANSHIP_ENGINE_NETWORK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_kind { NET_CONNECT, NET_NAME, NET_BIND };

struct endpoint {
	unsigned char size;	/* of the address: 4, 16; in rules 0 = any */
	uint16_t port;		/* in rules 0 = any */
	unsigned char address[16];
};

struct net_rules {
	const unsigned char *at;
	uint32_t count;
};

/* net_rules_read() - NULL, or what is wrong in words. */
const char *net_rules_read(struct net_rules *n, const unsigned char *at,
			   size_t size);
/* net_rules_have() - whether any is of @kind. */
bool net_rules_have(const struct net_rules *n, enum net_kind kind);
/* net_lead() - where @asked leads; false where it stays. */
bool net_lead(const struct net_rules *n, enum net_kind kind,
	      const struct endpoint *asked, struct endpoint *real);
/* net_known() - what a program asked for that got @real; false where that
 * cannot be told, or is the same. */
bool net_known(const struct net_rules *n, enum net_kind kind,
	       const struct endpoint *real, struct endpoint *asked);
bool endpoint_same(const struct endpoint *a, const struct endpoint *b);

#endif
