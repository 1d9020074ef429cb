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

#define PLAIN(path) { NONE, path, LAST_FOLLOW, NONE }
#define AT(fd, path, last, flags) { fd, path, last, flags }
#define NO_PATH { NONE, NONE, LAST_KEEP, NONE }

struct path_call {
	unsigned short nr;
	enum use use;
	struct path_argument one, two;
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

/* files-take.c */

/* call_argument() - the program's arguments by their number. */
unsigned long *call_argument(struct record *r, unsigned int i);
/* last_of() - what the flags of a call say of its last name. */
enum path_last last_of(struct record *r, const struct path_argument *a);
/* take_path() - reads and places one path. 0 or -errno. */
long take_path(struct record *r, const struct path_argument *a,
	       struct changed *c, enum path_last last);
/* rule_of_descriptor() - for what is open where @c is "/proc/self/fd/N" or only
 * a descriptor; NO_RULE: it is neither, or there is none. */
uint32_t rule_of_descriptor(const struct changed *c, char *location);
/* take_descriptor() - "/proc/self/fd/N" of what must not be written there. */
void take_descriptor(struct changed *c);

/* files-mount.c */

enum rule_mode found_mode(const struct found *f);
/* mode_there() - of what is there, 0 = nothing; mode_of_name(): of the name
 * itself, whatever slashes stand behind it; status_of_name(): 0 or -errno. */
unsigned int mode_there(const struct found *f, bool follow);
unsigned int mode_of_name(const struct found *f);
long status_of_name(const struct found *f, struct file_status *st);
bool mode_is_directory(unsigned int mode);
bool is_special(unsigned int mode);
/* parent_missing() - how the directory is missing that the last name should be
 * in, or 0. */
long parent_missing(const struct found *f);
/* side_of() - the rule whose "mount" @f is in; the border's own name is in the
 * one around, unless it is asked for what lies there (@itself). */
uint32_t side_of(const struct found *f, bool itself);
bool rule_read_only(uint32_t rule);
/* border_remains() - what removing a border's name says. */
long border_remains(const struct found *f, bool as_directory);
/* use_forbidden() - what stands in the way of @use: 0 or -errno, in the kernel's
 * order. */
long use_forbidden(const struct found *f, enum use use, bool follow);

/* files-two.c, files-open.c */
long two_paths(struct record *r, const struct path_call *call);
call_fn call_open, call_creat, call_openat, call_openat2;

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
