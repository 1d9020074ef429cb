// SPDX-License-Identifier: Apache-2.0
#include "gate.h"
#include "inet.h"
#include "text.h"

unsigned int inet_family(const struct inet *a)
{
	return a->bytes[0] | (unsigned int)a->bytes[1] << 8;
}

bool inet_is_whole(const struct inet *a)
{
	return (inet_family(a) == AF_INET && a->size >= INET_SIZE) ||
	       (inet_family(a) == AF_INET6 && a->size >= INET6_LEAST);
}

bool inet_read(struct inet *a, unsigned long at, unsigned int size)
{
	memset(a, 0, sizeof(*a));
	a->size = size < INET6_SIZE ? size : INET6_SIZE;
	return at && size >= INET_SIZE &&
	       copy_bytes(a->bytes, (const void *)at, a->size) == 0 &&
	       inet_is_whole(a);
}

static bool is_mapped(const struct inet *a)
{
	static const unsigned char prefix[12] = { [10] = 0xff, [11] = 0xff };

	return inet_family(a) == AF_INET6 &&
	       memcmp(a->bytes + 8, prefix, 12) == 0;
}

struct endpoint inet_endpoint(const struct inet *a)
{
	struct endpoint e = { .port = (uint16_t)(a->bytes[2] << 8 | a->bytes[3]) };

	if (inet_family(a) == AF_INET) {
		e.size = 4;
		memcpy(e.address, a->bytes + 4, 4);
	} else if (is_mapped(a)) {
		e.size = 4;
		memcpy(e.address, a->bytes + 20, 4);
	} else {
		e.size = 16;
		memcpy(e.address, a->bytes + 8, 16);
	}
	return e;
}

void inet_put(struct inet *a, const struct endpoint *e)
{
	a->bytes[2] = (unsigned char)(e->port >> 8);
	a->bytes[3] = (unsigned char)e->port;
	if (e->size == 4)
		memcpy(a->bytes + (inet_family(a) == AF_INET ? 4 : 20),
		       e->address, 4);
	else
		memcpy(a->bytes + 8, e->address, 16);
}

void inet_make(struct inet *a, unsigned int family, const struct endpoint *e)
{
	memset(a, 0, sizeof(*a));
	a->size = family == AF_INET ? INET_SIZE : INET6_SIZE;
	a->bytes[0] = (unsigned char)family;
	if (family == AF_INET6 && e->size == 4)
		a->bytes[18] = a->bytes[19] = 0xff;
	inet_put(a, e);
}

static bool leads_with_zeros(const struct endpoint *e, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (e->address[i])
			return false;
	return true;
}

bool endpoint_is_loopback(const struct endpoint *e)
{
	if (e->size == 4)
		return e->address[0] == 127;
	return leads_with_zeros(e, 15) && e->address[15] == 1;
}

bool endpoint_is_any(const struct endpoint *e)
{
	return leads_with_zeros(e, e->size);
}
