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

static void damage(const unsigned char *bytes, size_t n, long rounds)
{
	static const char *const asked[] = { "/", "/a", "/a/b", "/srv/x/y",
					     "/legacy/file", "" };
	long whole = 0;

	for (long i = 0; i < rounds; i++) {
		/* Aligned as a mapping is, and of its exact size. */
		unsigned char *copy = malloc(n);
		struct policy_table t;
		struct policy p;

		memcpy(copy, bytes, n);
		for (int k = 1 + rand() % 3; k > 0; k--)
			copy[(size_t)rand() % n] ^= (unsigned char)(1 << rand() % 8);
		if (!read_policy(&t, &p, copy, n)) {
			whole++;
			lead(&t);
			for (size_t k = 0; k < sizeof(asked) / sizeof(asked[0]); k++) {
				rule_for(&t, asked[k], strlen(asked[k]));
				if (asked[k][0])
					rule_below(&t, asked[k], strlen(asked[k]), 0);
			}
		}
		free(copy);
	}
	printf("%ld of %ld taken\n", whole, rounds);
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
		srand((unsigned int)atoi(argv[3]));
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
