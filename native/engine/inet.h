/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of IP as the kernel has them in calls, and what they name. */
#ifndef TRANSHIP_ENGINE_INET_H
#define TRANSHIP_ENGINE_INET_H

#include "network-rules.h"

#define AF_INET 2
#define AF_INET6 10
#define INET_SIZE 16
#define INET6_LEAST 24	/* before there were scopes */
#define INET6_SIZE 28

struct inet {
	unsigned int size;
	unsigned char bytes[INET6_SIZE + 4];
};

unsigned int inet_family(const struct inet *a);
/* inet_is_whole() - whether it is an address of IP, with all its bytes. */
bool inet_is_whole(const struct inet *a);
/* inet_read() - from the program's memory; false for other addresses. */
bool inet_read(struct inet *a, unsigned long at, unsigned int size);
/* inet_endpoint() - what it names; IPv4 in IPv6 is IPv4. */
struct endpoint inet_endpoint(const struct inet *a);
/* inet_put() - another one of the same family. */
void inet_put(struct inet *a, const struct endpoint *e);
/* inet_make() - an address of @family for @e; IPv4 in an IPv6 one too. */
void inet_make(struct inet *a, unsigned int family, const struct endpoint *e);
/* endpoint_is_loopback(), endpoint_is_any() - 127.0.0.0/8 and ::1; 0.0.0.0 and ::. */
bool endpoint_is_loopback(const struct endpoint *e);
bool endpoint_is_any(const struct endpoint *e);

#endif
