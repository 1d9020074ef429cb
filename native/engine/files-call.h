/* SPDX-License-Identifier: Apache-2.0 */
/* A call that takes paths, between files.c and layered.c. */
#ifndef TRANSHIP_ENGINE_FILES_CALL_H
#define TRANSHIP_ENGINE_FILES_CALL_H

#include "dispatch.h"
#include "paths.h"

#define AT_REMOVEDIR 0x200
#define NONE 0xff

/* What a call does at its path. */
enum use {
	USE_READ,
	USE_CHANGE,	/* changes what is there */
	USE_MAKE,	/* makes a new name */
	USE_REMOVE,	/* removes a name */
	USE_MOVE,	/* renames: removes and makes */
	USE_ACCESS,	/* the mode argument says whether to write */
};

struct path_argument {
	unsigned char fd, path;	/* which arguments; NONE = the working directory */
	enum path_last last;
	unsigned char flags;	/* argument with AT_* flags, or NONE */
};

/* The path that the kernel gets, and what it was. */
struct changed {
	struct found f;
	unsigned long *path, *fd;
	unsigned long path_was, fd_was;
	long at;		/* the descriptor that it is relative to */
	enum path_last last;
	char given[PATH_SIZE];
	bool empty;		/* no path at all: the descriptor itself */
	/* The call at f.real, where the path is not an argument; else NULL. */
	long (*through)(struct record *r, struct changed *c);
};

/* files_placed() - a call whose path path_find() has placed. */
long files_placed(struct record *r, enum use use, struct changed *c);
/* call_placed() - the call at the real path. */
long call_placed(struct record *r, struct changed *c);
/* put_path() - the call gets the real path, until take_back() returns it. */
void put_path(struct changed *c);
void take_back(const struct changed *c);

/* What follows answers for modes with layers, whose `c->f.layered` is set. */

/* layered_change() - a call that changes what is there, makes or removes a
 * name: asked at the place where that is written. */
long layered_change(struct record *r, enum use use, struct changed *c);
/* layered_move() - rename() where at least one of the two is layered. */
long layered_move(struct record *r, struct changed *a, struct changed *b);
/* layered_link() - link(), the same. */
long layered_link(struct record *r, struct changed *a, struct changed *b);
/* layered_open() - open() with @flags as asked. */
long layered_open(struct record *r, struct changed *c, unsigned long flags);
/* layered_add() - answers calls that change what a descriptor is open at. */
void layered_add(void);

#endif
