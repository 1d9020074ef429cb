/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_TREE_UNPACK_H
#define TRANSHIP_TREE_UNPACK_H

#include <sys/stat.h>
#include <time.h>

#include "resolve.h"
#include "source.h"

#define MAX_RANGES 64
#define MAX_DEVICES 256

/* An ENTRY as it came; checked, but for its path and attributes. */
struct entry {
	uint32_t mode;
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	struct timespec mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	struct bytes path;
	struct bytes target;
	uint16_t xattr_count;
	struct bytes xattrs;
	uint32_t extent_count;
	struct bytes extents;
};

struct id_range {
	uint32_t in;
	uint32_t out;
	uint32_t count;
};

struct id_map {
	struct id_range at[MAX_RANGES];
	size_t count;		/* 0: ids stay as they are */
};

/* What may be made, and as what. */
struct rules {
	bool no_openat2;
	uint64_t max_bytes;
	uint64_t max_entries;
	struct id_map uids;
	struct id_map gids;
	dev_t devices[MAX_DEVICES];
	size_t device_count;
};

/* A directory whose time, and mode where we are not root, wait for the end. */
struct late {
	char *path;
	size_t index;
	mode_t mode;
	struct timespec mtime;
	dev_t dev;
	ino_t ino;
};

struct lates {
	struct late *at;
	size_t count;
	size_t room;
	size_t bytes;
};

struct unpack {
	struct resolver resolver;
	struct frame_source in;
	struct frame_writer out;
	struct rules rules;
	struct lates lates;
	bool root;		/* euid 0 */
	uint64_t entries;
	uint64_t bytes;
	const char *why;	/* a refusal in words, or NULL */
	/* the regular file being written; file < 0: none */
	int file;
	struct entry entry;
	unsigned char *kept;	/* what @entry points into */
	struct cursor extents;
	uint64_t next;		/* offset that the next DATA has */
	uint64_t end;		/* of the extent it lies in */
};

/* parse_rules() - options and DEST; dies of what is none. Return: DEST. */
const char *parse_rules(struct rules *r, int argc, char **argv);
/* unpack_tree() - options and DEST in @argv; exit status. */
int unpack_tree(int argc, char **argv);
/* unpack_open() - @u for frames from stdin about the tree at @dest. */
void unpack_open(struct unpack *u, const char *dest);
/* place_objects() - as above, one object at a time: place.c. */
int place_objects(const char *dest);

/* The following give 0 or -errno and may set u->why. */

/* take_entry() - the ENTRY @f into u->entry. */
int take_entry(struct unpack *u, const struct frame *f);
/* take_data() - a piece of the open file. */
int take_data(struct unpack *u, struct cursor *c);
/* data_complete() - whether all that the ENTRY lists has come. */
bool data_complete(struct unpack *u);
/* apply_fd() - metadata through a descriptor: files and directories. */
int apply_fd(struct unpack *u, const struct entry *e, int fd, mode_t mode);
/* apply_name() - by name: what cannot be opened. */
int apply_name(struct unpack *u, const struct entry *e, const struct place *p);
/* locate() - the place of a path of plain names. */
int locate(struct unpack *u, struct bytes path, int flags, struct place *p);
/* make_symlink(), make_special() - where nothing has that name. */
int make_symlink(struct unpack *u, const struct entry *e,
		 const struct place *p);
int make_special(struct unpack *u, const struct entry *e,
		 const struct place *p);
/* make_entry() - all but the content of a regular file, which is left open. */
int make_entry(struct unpack *u, const struct entry *e);
/* end_file() - metadata of the open file, after its content. */
int end_file(struct unpack *u);
int make_hardlink(struct unpack *u, struct bytes path, struct bytes target);
int make_whiteout(struct unpack *u, struct bytes path);
int make_opaque(struct unpack *u, struct bytes path);
/* keep_directory() - for end_directories(). */
int keep_directory(struct unpack *u, const struct entry *e,
		   const struct stat *st);
/* end_directories() - what had to wait until nothing is made below. */
int end_directories(struct unpack *u);

/* apply_xattrs() - exactly those of @e, on @fd or on @name in the current
 * directory; file capabilities as well, so ownership has to be set before. */
int apply_xattrs(struct unpack *u, const struct entry *e, int fd,
		 const char *name);
int set_opaque(int dir, const char *name);

/* remove_at() - @name with all below; no link is followed. */
int remove_at(int dir, const char *name);

#endif
