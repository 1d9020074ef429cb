/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By which rule this process came into its directory, and to what its
 * descriptors are open at. Where rules lead to one place of the package, or one
 * leads below another's, only that tells which name the place has; nothing is
 * kept where no rules do.
 */
#ifndef TRANSHIP_ENGINE_PLACES_H
#define TRANSHIP_ENGINE_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "at-hand.h"
#include "policy-table.h"

/* places_start() - once the rules are read; @directory is what places_passed()
 * said before execve(). */
void places_start(uint32_t directory);
void places_add(void);
/* places_turned() - other rules are in force: nothing of what was noted is
 * about them. */
void places_turned(const struct policy_table *t);
/* places_kept() - whether anything is kept at all. */
static inline bool places_kept(void)
{
	return at_hand.places_are_kept;
}
/* places_entered(), places_opened() - by @rule (NO_RULE: by none). */
void places_entered(uint32_t rule);
void places_opened(long fd, uint32_t rule);
/* places_rule() - by which rule it came to @fd (AT_FDCWD: its directory);
 * NO_RULE where that is not known. */
uint32_t places_rule(long fd);
/* places_passed() - what the engine behind execve() has to be told, and
 * places_returned() once a child of vfork() is gone. */
uint32_t places_passed(void);
void places_returned(uint32_t passed);

#endif
