/* SPDX-License-Identifier: Apache-2.0 */
/* Names that rules decide about, as their directory lists them. */
#ifndef TRANSHIP_ENGINE_NAMES_H
#define TRANSHIP_ENGINE_NAMES_H

#include "listing.h"
#include "policy-table.h"

/* names_ruled() - whether a rule decides about @name in @directory; it then is
 * listed by the rule and not by the kernel. */
bool names_ruled(const char *directory, const char *name);
/* names_added() - the first at or behind the rule *@i that @directory lists,
 * as an entry of ENTRY_SIZE(255) bytes without its offset; false: no more. */
bool names_added(struct entry *e, const char *directory, uint32_t *i);

#endif
