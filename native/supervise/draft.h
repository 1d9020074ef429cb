/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_DRAFT_H
#define TRANSHIP_SUPERVISE_DRAFT_H

#include <limits.h>
#include <stdbool.h>

/* The directory in which src/runtime/create.ts puts an instance together: made
 * while Node starts, which has enough to do without that. */
struct draft {
	char id[65];		/* of the instance; "": no directory is made */
	char path[PATH_MAX];
	char unfinished[PATH_MAX];
	char trash[PATH_MAX];	/* of that state root */
};

/* draft_name() - chooses the id, where the command line @args is for a state
 * root that is there and of our version. */
void draft_name(struct draft *d, char *const *args);

/* draft_make() - all of it or nothing, under a name that nobody looks for but
 * who repairs. Return: whether it is there. */
bool draft_make(const struct draft *d);

/* draft_offer() - gives it the name by which the child looks for it. */
void draft_offer(const struct draft *d);

/* draft_remove() - where nobody has taken it. */
void draft_remove(const struct draft *d);

#endif
