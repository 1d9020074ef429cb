/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled policy of a package, policy.bin, as docs/internals/policy-bin.md
 * has it: checked once as a whole, then searched where it lies. Pure.
 */
#ifndef TRANSHIP_ENGINE_POLICY_TABLE_H
#define TRANSHIP_ENGINE_POLICY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "network-rules.h"
#include "policy.h"

#define POLICY_SIZE_MAX (4U << 20)
#define NO_RULE 0xffffffffU

enum rule_mode {
	RULE_FULL, RULE_WRITE_COPY, RULE_MERGED, RULE_HIDE, RULE_READ_ONLY,
	RULE_HOST,
};

struct rule {
	const char *from, *to;	/* C strings */
	size_t from_length, to_length;
	bool exact;
	enum rule_mode mode;
	uint32_t outer;
	uint32_t declared;
};

struct policy_table {
	const unsigned char *base;
	size_t size;
	const unsigned char *filter;	/* NULL = no rules */
	const unsigned char *rules;
	uint32_t rule_count;
	struct net_rules network;
	const unsigned char *excludes;	/* texts of names */
	uint32_t exclude_count;
	const char *texts;
	uint32_t texts_size;
};

/* policy_table_read() - checks @file and fills @table, and of @policy what it
 * says of clock and names; @now is when the instance began, in ns. NULL, or
 * what is wrong or asked for and not there, in words. */
const char *policy_table_read(struct policy_table *table, struct policy *policy,
			      const void *file, size_t size, int64_t now);

/* policy_excludes() - whether programs of this name leave the engine. */
bool policy_excludes(const struct policy_table *table, const char *name);
/* rule_get() - the @i-th rule. */
struct rule rule_get(const struct policy_table *table, uint32_t i);
/* rule_for() - the index of the rule that decides for @location of @n bytes. */
uint32_t rule_for(const struct policy_table *table, const char *location,
		  size_t n);
/* rule_below() - the first rule at or behind @from whose path lies directly
 * below @directory; NO_RULE = none. */
uint32_t rule_below(const struct policy_table *table, const char *directory,
		    size_t n, uint32_t from);

#endif
