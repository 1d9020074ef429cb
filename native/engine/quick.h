/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls with one path whose directory was placed a moment ago: by far the most.
 */
#ifndef TRANSHIP_ENGINE_QUICK_H
#define TRANSHIP_ENGINE_QUICK_H

#include "program.h"
#include "sys.h"

#define QUICK_PARENTS 24
#define QUICK_SLOTS 64
#define QUICK_TEXT 120
#define QUICK_REAL 224

struct rules;

enum quick_way {
	QUICK_NATIVE,		/* no rule is about what lies directly in it */
	QUICK_ASK,		/* one is about some of it, and none about the rest */
	QUICK_REAL_PLACE,	/* all of it is there, by one simple rule */
	QUICK_NEVER,		/* neither */
};

/* A directory, with the slash behind it, and where it is. */
struct quick_parent {
	unsigned char n, real_n;	/* lengths; 0 = nothing is known */
	unsigned char way;		/* enum quick_way */
	unsigned short name;	/* where in struct quick the last name goes */
	unsigned int change;	/* walk_changes() when it was looked at */
	const struct rules *rules;	/* by which this holds */
	uint32_t until;		/* that it is no link; of a real place */
	char text[QUICK_TEXT], real[QUICK_REAL];
} __attribute__((aligned(64)));

/* Of a thread: the path of the call in progress, and what is known. */
struct quick {
	/* Of the call before, by the rules of this one; NULL = none. */
	struct quick_parent *last;
	size_t n;		/* of the name behind it in this call */
	/* By the hash of a text, the place in `parents` + 1; 0 = none. They are
	 * taken in turn, so that few pages are touched for few directories. */
	unsigned char slots[QUICK_SLOTS];
	unsigned int next;
	/* Whose place `real` begins with: of what leads to a place, always the last. */
	const struct quick_parent *real_of;
	/* That the kernel gets where it is not as the program has it. */
	char real[QUICK_REAL + 256];
	char given[PATH_SIZE];
	struct quick_parent parents[QUICK_PARENTS];
};

/* quick_parent_of() - what is known of the directory of the path at @path; NULL =
 * nothing that helps. The thread's struct quick has the name then, and so the real
 * path. */
const struct quick_parent *quick_parent_of(unsigned long path);

/* quick_given() - the path as it was given: `n` bytes, of which the first `parent`
 * are the directory with its slash. */
struct quick_given {
	const char *path;
	size_t n, parent;
};
struct quick_given quick_given(struct quick *q);

/* quick_add() - quick-calls.c: in front of what answers these calls so far. */
void quick_add(void);

#endif
