// SPDX-License-Identifier: Apache-2.0
/*
 * What the engine reads from a policy: `policy-query FILE` answers each line of
 * standard input, a location, with the position in which its rule was declared,
 * "-" for none; first line: what is wrong, or "ok" and names and clock.
 *   policy-query FILE ROUNDS SEED: damages it so often, and searches it then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../policy-table.h"
#include "mutate.h"

static const char *read_policy(struct policy_table *t, struct policy *p,
			       const void *bytes, size_t n)
{
	memset(p, 0, sizeof(*p));
	return policy_table_read(t, p, bytes, n, 1000);
}

static void query(const struct policy_table *t)
{
	char line[8192];

	while (fgets(line, sizeof(line), stdin)) {
		uint32_t rule;

		line[strcspn(line, "\n")] = 0;
		rule = rule_for(t, line, strlen(line));
		if (rule == NO_RULE)
			puts("-");
		else
			printf("%u\n", rule_get(t, rule).declared);
	}
}

static void lead(const struct policy_table *t)
{
	struct endpoint asked = { .size = 4, .port = 80 }, other;

	for (unsigned int i = 0; i < 4; i++) {
		enum net_kind kind = i & 1 ? NET_BIND : NET_CONNECT;

		asked.size = i & 2 ? 16 : 4;
		if (net_rules_have(&t->network, kind)) {
			net_lead(&t->network, kind, &asked, &other);
			net_known(&t->network, kind, &asked, &other);
		}
	}
}

static void search(const struct policy_table *t)
{
	static const char *const asked[] = { "/", "/a", "/a/b", "/srv/x/y",
					     "/legacy/file", "" };

	for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
		size_t n = strlen(asked[k]);
		uint32_t rule = rule_for(t, asked[k], n);

		if (rule != NO_RULE && (rule_get(t, rule).from[0] != '/' ||
					rule >= t->rule_count))
			abort();
		if (n > 0)
			rule_below(t, asked[k], n, 0);
	}
	policy_excludes(t, "program");
}

static void damage(const unsigned char *bytes, size_t size, long rounds)
{
	time_t began = time(NULL);
	long whole = 0;

	for (long i = 0; i < rounds; i++) {
		size_t n = size;
		/* malloc() aligns it as a mapping is. */
		unsigned char *copy = mutated(bytes, &n);
		struct policy_table t;
		struct policy p;

		/* Its own size is the first that is compared. */
		if (n >= 12 && random_below(4)) {
			uint32_t own = (uint32_t)n;

			memcpy(copy + 8, &own, sizeof(own));
		}
		if (!read_policy(&t, &p, copy, n)) {
			whole++;
			lead(&t);
			search(&t);
		}
		free(copy);
	}
	printf("%ld damaged policies, %ld taken; %ld s\n", rounds, whole,
	       (long)(time(NULL) - began));
}

int main(int argc, char **argv)
{
	static unsigned char bytes[POLICY_SIZE_MAX + 1];
	FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
	struct policy_table t;
	const char *wrong;
	struct policy p;
	size_t n;

	if (!f)
		return 2;
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	if (argc > 3) {
		random_state = (uint32_t)atoi(argv[3]) | 1;
		damage(bytes, n, atol(argv[2]));
		return 0;
	}
	wrong = read_policy(&t, &p, bytes, n);
	if (wrong) {
		puts(wrong);
		return 1;
	}
	printf("ok %s %s %s %d %lld %llu\n", p.node, p.release, p.domain,
	       p.clock_on, (long long)p.clock.app_base,
	       (unsigned long long)p.clock.rate);
	query(&t);
	return 0;
}
