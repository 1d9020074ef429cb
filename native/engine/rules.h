/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules in force. They may change while programs run (`tranship update`):
 * a call is answered by one table from its beginning to its end, and the next
 * one by the newest. What a table was is never changed or unmapped, so nobody
 * waits for anybody.
 *
 * The page of --rules=FILE counts the changes. The table before the first of
 * them is that of --policy, and that of the N-th is FILE.N, which is whole
 * before the page says N (src/runtime/inprocess/rules-page.ts). A table that
 * cannot be read, or needs what this start of the engine was not given, is not
 * taken: the one before stays in force.
 */
#ifndef TRANSHIP_ENGINE_RULES_H
#define TRANSHIP_ENGINE_RULES_H

#include "at-hand.h"
#include "policy-table.h"
#include "thread.h"

#define RULES_PAGE_MAGIC 0x314c555250525441ULL	/* "ATRPRUL1" */

struct rules_page {
	uint64_t magic;
	uint32_t changes, spare;
};

struct rules {
	struct policy_table table;
	uint32_t changes;	/* how many there were before it */
	bool host_has;		/* the place of one of them */
};

/* rules_first() - those of this start; none before rules_start(). */
const struct rules *rules_first(void);
/* rules_start() - the table of @policy, or of the page @page (NULL: none) as it
 * is by now; ends where neither can be had. @now is when the instance began. */
void rules_start(const char *policy, const char *page, int64_t now);
/* rules_check() - once paths_start() has what they lead to; ends where they ask
 * for what is not there. */
void rules_check(void);
/* rules_turn() - to the newest table, as far as there is one: the gate asks for it
 * where a call begins that is looked at, and the count is not @t's. */
void rules_turn(struct thread *t);

/* rules_may_change() - whether there is a page of rules. */
bool rules_may_change(void);

/* thread_rules() - by these @t's calls are answered. */
static inline void thread_rules(struct thread *t, const struct rules *rules)
{
	t->rules = rules;
	t->quick.last = NULL;	/* which is of those before */
	t->rules_changes = rules->changes;
}

/* rules_now() - by which this thread's call is answered. */
static inline const struct policy_table *rules_now(void)
{
	return &thread_self()->rules->table;
}

#endif
