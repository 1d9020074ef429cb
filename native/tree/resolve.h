/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confined resolution: a path is looked up with one directory as its root.
 *
 * Theory: two ways give the same result. Where the kernel has openat2(2) and
 * the path needs no bookkeeping, RESOLVE_IN_ROOT opens the parent at once.
 * Everything else (no openat2, "..", a canonical path through links, links to
 * report, more than PATH_MAX bytes, magic links of /proc) is walked here, one
 * component at a time: each is opened below the directory before it with
 * O_NOFOLLOW, a link's text is read and put in front of what is left, and
 * ".." is never given to the kernel: the canonical path loses its last
 * component and is opened again from the root. So whatever others rename
 * meanwhile, each descriptor was reached from the root by plain names alone.
 *
 * Magic links of /proc are taken by their text, inside the root as well.
 */
#ifndef TRANSHIP_TREE_RESOLVE_H
#define TRANSHIP_TREE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>

#define PATH_LIMIT 65535U	/* what bytes16 can say */
#define REST_LIMIT (2UL * PATH_LIMIT)

enum resolve_flag {
	RESOLVE_FOLLOW = 1,	/* the last component as well */
	RESOLVE_CANONICAL = 2,	/* place.path has to be canonical */
	RESOLVE_CREATE = 4,	/* make missing parents, 0755 */
};

/* An object, named by a plain name ("." for the directory itself). */
struct place {
	int dir;		/* closed by place_close() */
	bool borrowed;
	const char *name;	/* inside the resolver, until its next use */
	const char *path;	/* absolute inside the root; likewise */
	size_t path_len;
};

struct resolver {
	int root;
	bool no_openat2;
	/* Told each link met, before it is followed; NULL for none. */
	void (*on_link)(void *arg, const struct place *link);
	void *on_link_arg;
	/* private */
	size_t len;
	unsigned int budget;
	char canon[PATH_LIMIT + 2];
	char rest[REST_LIMIT + 1];
};

/* resolve() - 0 with @out filled, or -errno. The object need not exist unless
 * RESOLVE_FOLLOW is given. */
int resolve(struct resolver *r, const void *path, size_t len, int flags,
	    struct place *out);
void place_close(struct place *p);

#endif
