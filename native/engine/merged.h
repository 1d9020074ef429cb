/* SPDX-License-Identifier: Apache-2.0 */
/* Mode merged of a folder, for layered.c and files.c: see merged.c. */
#ifndef TRANSHIP_ENGINE_MERGED_H
#define TRANSHIP_ENGINE_MERGED_H

#include "files-call.h"

/* merged_change(), merged_open() - as layered_change() and layered_open(). */
long merged_change(struct record *r, enum use use, struct changed *c);
long merged_open(struct record *r, struct changed *c, unsigned long flags);
/* merged_writable() - whether what is seen at @f may be written at all. */
bool merged_writable(const struct found *f);
/* merged_pair() - both names of rename() (@moves) or link(), as far as they are
 * in such a folder, get the host's path. 0 or -errno. */
long merged_pair(struct changed *a, struct changed *b, bool moves,
		 unsigned long flags);

#endif
