// SPDX-License-Identifier: Apache-2.0
#include "network-rules.h"
#include "text.h"

#define RECORD 56
#define RULES_MAX 1024

struct net_rule {
	enum net_kind kind;
	struct endpoint from, to;
};

static uint32_t u16(const unsigned char *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static bool zeros(const unsigned char *p, size_t n)
{
	while (n > 0 && !*p) {
		p++;
		n--;
	}
	return n == 0;
}

static struct net_rule get(const struct net_rules *n, uint32_t i)
{
	const unsigned char *p = n->at + (size_t)i * RECORD;
	struct net_rule r = {
		.kind = (enum net_kind)p[0],
		.from = { .size = p[1], .port = (uint16_t)u16(p + 4) },
		.to = { .size = p[2], .port = (uint16_t)u16(p + 6) },
	};

	memcpy(r.from.address, p + 8, 16);
	memcpy(r.to.address, p + 24, 16);
	return r;
}

static bool is_size(unsigned char size)
{
	return size == 0 || size == 4 || size == 16;
}

static const char *check(const unsigned char *p)
{
	if (p[0] == NET_NAME)
		return "redirections of names are not for this engine";
	if (p[0] > NET_BIND || !is_size(p[1]) || !is_size(p[2]) || p[3] ||
	    (p[1] && p[2] && p[1] != p[2]) || !zeros(p + 8 + p[1], 16 - p[1]) ||
	    !zeros(p + 24 + p[2], 16 - p[2]) || !zeros(p + 40, 12))
		return "a policy with a damaged redirection of the network";
	return NULL;
}

const char *net_rules_read(struct net_rules *n, const unsigned char *at,
			   size_t size)
{
	*n = (struct net_rules){ at, (uint32_t)(size / RECORD) };
	if (size % RECORD || n->count > RULES_MAX)
		return "a policy with damaged redirections of the network";
	for (uint32_t i = 0; i < n->count; i++) {
		const char *wrong = check(at + (size_t)i * RECORD);

		if (wrong)
			return wrong;
	}
	return NULL;
}

bool net_rules_have(const struct net_rules *n, enum net_kind kind)
{
	for (uint32_t i = 0; i < n->count; i++)
		if (n->at[(size_t)i * RECORD] == kind)
			return true;
	return false;
}

bool endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->size == b->size && a->port == b->port &&
	       memcmp(a->address, b->address, a->size) == 0;
}

/* Whether @end, of a rule, takes in @asked. */
static bool fits(const struct endpoint *end, const struct endpoint *asked)
{
	return (!end->size || (end->size == asked->size &&
			       memcmp(end->address, asked->address,
				      end->size) == 0)) &&
	       (!end->port || end->port == asked->port);
}

/* The family that a rule is about; 0 = both. */
static unsigned char family(const struct net_rule *r)
{
	return r->from.size ? r->from.size : r->to.size;
}

bool net_lead(const struct net_rules *n, enum net_kind kind,
	      const struct endpoint *asked, struct endpoint *real)
{
	for (uint32_t i = 0; i < n->count; i++) {
		struct net_rule r = get(n, i);

		if (r.kind != kind || (family(&r) && family(&r) != asked->size) ||
		    !fits(&r.from, asked))
			continue;
		*real = *asked;
		if (r.to.size)
			memcpy(real->address, r.to.address, r.to.size);
		else if (kind == NET_BIND && r.from.size)
			/* Reached at any address of this machine, as this one
			 * is none. */
			memset(real->address, 0, sizeof(real->address));
		if (r.to.port)
			real->port = r.to.port;
		return true;
	}
	return false;
}

/* What listens at any address is reached at each. */
static bool reached(const struct net_rule *r, const struct endpoint *real)
{
	struct endpoint to = r->to;

	if (!to.port)
		to.port = r->from.port;
	if (zeros(to.address, to.size))
		to.size = 0;
	return fits(&to, real);
}

bool net_known(const struct net_rules *n, enum net_kind kind,
	       const struct endpoint *real, struct endpoint *asked)
{
	for (uint32_t i = 0; i < n->count; i++) {
		struct net_rule r = get(n, i);

		if (r.kind != kind || (family(&r) && family(&r) != real->size) ||
		    !reached(&r, real))
			continue;
		/* A peer may be any other: only where all of it is named. */
		if (kind == NET_CONNECT && (!r.from.size || !r.from.port ||
					    !r.to.size || !r.to.port))
			continue;
		*asked = *real;
		if (r.from.size)
			memcpy(asked->address, r.from.address, r.from.size);
		if (r.from.port)
			asked->port = r.from.port;
		return !endpoint_same(asked, real);
	}
	return false;
}
