// SPDX-License-Identifier: Apache-2.0
/* Which rule of a policy is about a path. The table is sorted: "/" is the smallest of
 * all bytes, and each rule knows the one that it lies in. */
#include "policy-bytes.h"
#include "text.h"

struct rule rule_get(const struct policy_table *t, uint32_t i)
{
	const unsigned char *p = t->rules + (size_t)i * RULE;

	return (struct rule){
		.from = t->texts + u32(p), .to = t->texts + u32(p + 4),
		.from_length = u16(p + 8), .to_length = u16(p + 10),
		.exact = p[12] == 1, .mode = (enum rule_mode)p[13],
		.outer = u32(p + 16), .declared = u32(p + 20),
	};
}

/* The order of the table: "/" is the smallest of all bytes. */
int rule_order(const char *a, size_t na, const char *b, size_t nb)
{
	size_t shared = na < nb ? na : nb, i = 0;
	uint64_t x8, y8;

	for (; i + 8 <= shared; i += 8) {
		__builtin_memcpy(&x8, a + i, 8);
		__builtin_memcpy(&y8, b + i, 8);
		if (x8 != y8)
			break;
	}
	for (; i < shared; i++) {
		int x = a[i] == '/' ? 0 : (unsigned char)a[i];
		int y = b[i] == '/' ? 0 : (unsigned char)b[i];

		if (x != y)
			return x - y;
	}
	return na < nb ? -1 : na > nb;
}

bool rule_holds(const char *path, size_t n, const struct rule *r)
{
	if (r->from_length == 1)
		return true;
	return n >= r->from_length && memcmp(path, r->from, r->from_length) == 0 &&
	       (n == r->from_length || path[r->from_length] == '/');
}

/* How many rules have a path that is not behind @location. */
static uint32_t rules_before(const struct policy_table *t, const char *location,
			     size_t n)
{
	uint32_t low = 0, high = t->rule_count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const unsigned char *p = t->rules + (size_t)middle * RULE;

		if (rule_order(t->texts + u32(p), u16(p + 8), location, n) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32_t rule_for(const struct policy_table *t, const char *location, size_t n)
{
	unsigned char first = n > 1 ? (unsigned char)location[1] : 0;
	uint32_t low, at;

	if (!t->filter || !(t->filter[first >> 3] >> (first & 7) & 1))
		return NO_RULE;
	low = rules_before(t, location, n);
	for (at = low == 0 ? NO_RULE : low - 1; at != NO_RULE;) {
		struct rule r = rule_get(t, at);

		if (r.exact ? r.from_length == n &&
			      memcmp(r.from, location, n) == 0
			    : rule_holds(location, n, &r))
			return at;
		at = r.outer;
	}
	return NO_RULE;
}

uint32_t rule_below(const struct policy_table *t, const char *directory,
		    size_t n, uint32_t from)
{
	/* "/" has no name of its own in front of the slash. */
	size_t start = n == 1 ? 0 : n;
	uint32_t first = rules_before(t, directory, n);

	/* In the order of the table they stand directly behind it. */
	for (uint32_t i = from > first ? from : first; i < t->rule_count; i++) {
		struct rule r = rule_get(t, i);
		const char *rest;

		if (r.from_length <= start + 1 ||
		    memcmp(r.from, directory, start) != 0 ||
		    r.from[start] != '/')
			break;
		rest = r.from + start + 1;
		if (!strchr(rest, '/'))
			return i;
	}
	return NO_RULE;
}

bool policy_excludes(const struct policy_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->exclude_count; i++)
		if (strcmp(t->texts + u32(t->excludes + i * 8UL), name) == 0)
			return true;
	return false;
}
