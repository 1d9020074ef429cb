/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with one path whose directory was placed a moment ago: by far the most.
 */
#ifndef TRANSHIP_ENGINE_QUICK_H
#define TRANSHIP_ENGINE_QUICK_H

#include "program.h"
#include "sys.h"

#define QUICK_PARENTS 8
#define QUICK_TEXT 120
#define QUICK_REAL 224

struct rules;

/* A directory, with the slash behind it, and where it is. */
struct quick_parent {
	unsigned char n, real_n;	/* lengths; 0 = nothing is known */
	enum quick_way {
		QUICK_NATIVE,	/* no rule is about what lies directly in it */
		QUICK_REAL_PLACE,	/* all of it is there, by one simple rule */
		QUICK_NEVER,	/* neither */
	} way;
	unsigned int change;	/* walk_changes() when it was looked at */
	const struct rules *rules;	/* by which this holds */
	uint32_t until;		/* that it is no link; of a real place */
	char text[QUICK_TEXT], real[QUICK_REAL];
};

/* Of a thread: the path of the call in progress, and what is known. */
struct quick {
	size_t n, parent;	/* of `given`; the parent's with its slash */
	struct quick_parent parents[QUICK_PARENTS];
	const struct quick_parent *real_of;	/* whose place `real` begins with */
	char real[QUICK_REAL + 256];	/* that the kernel gets */
	char given[PATH_SIZE];
};

/* quick_parent_of() - what is known of the directory of the path at @path, which is
 * copied into @q; NULL = nothing that helps. */
const struct quick_parent *quick_parent_of(struct quick *q, unsigned long path);
/* quick_put_real() - the real path, in @q. */
const char *quick_put_real(struct quick *q, const struct quick_parent *p);

/* quick_add() - quick-calls.c: in front of what answers these calls so far. */
void quick_add(void);

#endif
