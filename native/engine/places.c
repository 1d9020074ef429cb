// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel knows the mount that a directory was opened on (struct path of
 * fs/namei.c); to us it is a directory of the package, whoever leads there. So
 * the rule is noted beside the descriptor. A note may be left behind by a
 * descriptor that is gone, since closing does not remove it: who reads it sees
 * whether the rule leads to what is open there, and otherwise it counts for
 * nothing.
 */
#include "dispatch.h"
#include "files.h"
#include "kept.h"
#include "paths.h"
#include "places.h"
#include "sys.h"
#include "text.h"

#define DESCRIPTORS 4096
#define RULES_COMPARED 64
#define F_DUPFD 0
#define F_DUPFD_CLOEXEC 1030

static struct before before;
/* Index of the rule + 1; 0 = none. */
static uint32_t directory;
static uint16_t opened[DESCRIPTORS] LARGE;

void places_entered(uint32_t rule)
{
	if (at_hand.places_are_kept)
		directory = rule + 1;
	path_moved();
}

void places_opened(long fd, uint32_t rule)
{
	if (at_hand.places_are_kept && fd >= 0 && fd < DESCRIPTORS)
		opened[fd] = (uint16_t)(rule + 1);
}

uint32_t places_rule(long fd)
{
	if (fd == AT_FDCWD)
		return directory - 1;
	return fd >= 0 && fd < DESCRIPTORS ? opened[fd] - 1U : NO_RULE;
}

uint32_t places_passed(void)
{
	return directory;
}

void places_returned(uint32_t passed)
{
	directory = passed;
	path_moved();
}

static long call_fchdir(struct record *r)
{
	long result = call_before(&before, r);

	if (result == 0)
		places_entered(places_rule((int)r->rdi));
	return result;
}

static long call_dup(struct record *r)
{
	long result = call_before(&before, r);

	if (result >= 0)
		places_opened(result, places_rule((int)r->rdi));
	return result;
}

static long call_fcntl(struct record *r)
{
	if ((int)r->rsi == F_DUPFD || (int)r->rsi == F_DUPFD_CLOEXEC)
		return call_dup(r);
	return call_before(&before, r);
}

static bool leads(const struct rule *r)
{
	return r->mode != RULE_HIDE && r->mode != RULE_HOST;
}

/* Whether one of the two leads to where the other does, or below. */
static bool meet(const struct rule *a, const struct rule *b)
{
	const struct rule *outer = a->to_length < b->to_length ? a : b,
			  *inner = outer == a ? b : a;

	return leads(a) && leads(b) &&
	       path_is_below(inner->to, outer->to, outer->to_length > 1 ?
							   outer->to_length : 0);
}

static bool are_needed(const struct policy_table *t)
{
	/* All pairs of thousands would take longer than keeping notes. */
	if (t->rule_count > RULES_COMPARED)
		return true;
	for (uint32_t i = 0; i < t->rule_count; i++) {
		struct rule a = rule_get(t, i);

		for (uint32_t j = 0; j < i; j++) {
			struct rule b = rule_get(t, j);

			if (meet(&a, &b))
				return true;
		}
	}
	return false;
}

void places_start(uint32_t passed)
{
	at_hand.places_are_kept = are_needed(rules_now());
	directory = at_hand.places_are_kept && passed <= rules_now()->rule_count ? passed : 0;
}

void places_add(void)
{
	static bool added;

	if (!at_hand.places_are_kept || __atomic_exchange_n(&added, true, __ATOMIC_RELAXED))
		return;
	dispatch_over(&before, __NR_fchdir, call_fchdir);
	dispatch_over(&before, __NR_dup, call_dup);
	dispatch_over(&before, __NR_dup2, call_dup);
	dispatch_over(&before, __NR_dup3, call_dup);
	dispatch_over(&before, __NR_fcntl, call_fcntl);
}

void places_turned(const struct policy_table *t)
{
	directory = 0;
	memset(opened, 0, sizeof(opened));
	if (at_hand.places_are_kept || !are_needed(t))
		return;
	at_hand.places_are_kept = true;
	places_add();
}
