/* SPDX-License-Identifier: Apache-2.0 */
/* What the calls at paths of several layers share. */
#ifndef TRANSHIP_ENGINE_LAYERED_H
#define TRANSHIP_ENGINE_LAYERED_H

#include "files-call.h"
#include "layers.h"

#define TRIES 8	/* against a process that removes a name again and again */

/* found_set_real() - the kernel gets @real. False where that is too long. */
bool found_set_real(struct found *f, const char *real);
/* layered_ask_host() - the call at the host's own file. */
long layered_ask_host(struct record *r, struct changed *c);
/* layered_call_seen() - the call where @l says that the name is, now: what its
 * look-up said may be old, and another process has made or removed the name. */
long layered_call_seen(struct record *r, struct changed *c,
		       const struct layered *l);
/* layered_removed() - whether @result may be what the kernel says of a whiteout, as
 * another process has removed the name since it was looked up. Then the next call is
 * made where nothing is, or what was made anew. */
bool layered_removed(struct changed *c, long result);
/* layered_is_name() - there is no directory, though a slash says so. */
bool layered_is_name(const struct changed *c, const struct layered *l);
/* layered_may_write() - whether the caller may write to @l, so that copying it
 * is no way around. 0 or -errno. */
long layered_may_write(const struct layered *l, int mode);
/* layered_may_change() - the same for what only an owner changes. */
long layered_may_change(const struct record *r, const struct layered *l);
/* layered_prepare_new() - with the lock: the place of a new name is made free,
 * and *white says whether a whiteout was there. */
long layered_prepare_new(const struct changed *c, struct layered *l,
			 bool *white);

#endif
