/* SPDX-License-Identifier: Apache-2.0 */
/* Between a site that became a jump and the gate; struct stub is in thread.h. */
#ifndef TRANSHIP_ENGINE_STUBS_H
#define TRANSHIP_ENGINE_STUBS_H

#include "site.h"
#include "thread.h"

#define SITE_JUMP 8	/* the most that a jump takes, with what fills the rest */

/* stub_at() - the stub that @address lies in, or NULL. */
struct stub *stub_at(unsigned long address);
/* stub_new() - room for the stub of @site; NULL where there is none. Its arena is
 * executable and not writable. */
struct stub *stub_new(unsigned long site);
/* stub_fill() - fills @s, which will stand at @place. @bytes are those around the
 * call at @address, as site_find() had them. */
void stub_fill(struct stub *s, const struct stub *place, const struct site *site,
	       const unsigned char *bytes, unsigned long address);
/* stub_jump() - the jump to @place, of *@n bytes: where it has to be written. */
unsigned long stub_jump(unsigned char *jump, size_t *n, const struct stub *place,
			const struct site *site, unsigned long address);

/* stubs_begin() - where one thread runs alone: an arena near @site that is written
 * to directly; stubs_end() - and becomes executable. False where this host does
 * not let it: then there is none. */
bool stubs_begin(unsigned long site);
bool stubs_end(void);

#endif
