/* SPDX-License-Identifier: Apache-2.0 */
/* An object of the file system into an ENTRY frame; extents; names of a directory. */
#ifndef TRANSHIP_TREE_ENTRY_H
#define TRANSHIP_TREE_ENTRY_H

#include <stdint.h>
#include <sys/stat.h>

#include "frame.h"

#define NO_EXTENTS 0xffffffffU
/* More extents than this are joined across their smallest holes. */
#define MAX_EXTENTS 32768U

struct extent {
	uint64_t offset;
	uint64_t length;
};

struct extents {
	uint32_t count;		/* NO_EXTENTS: the file has no holes */
	struct extent *at;	/* room for MAX_EXTENTS */
};

/* What an ENTRY is made from: @fd where it is open, else @name in the
 * current directory (never followed). */
struct subject {
	int fd;
	const char *name;
	const char *path;
	size_t path_len;
};

int extents_init(struct extents *e);
/* extents_read() - where @fd has data; 0 or -errno. */
int extents_read(struct extents *e, int fd, uint64_t size);

/* put_entry() - an ENTRY frame; 0 or -errno, then nothing was put. */
int put_entry(struct frame_writer *w, uint32_t id, const struct subject *s,
	      const struct stat *st, const struct extents *e);
void put_error(struct frame_writer *w, uint32_t id, int err, const void *path,
	       size_t len);

/* open_read() - @name opened without a trace where allowed, never followed. */
int open_read(int dir, const char *name, int flags);

struct names {
	char **at;		/* in byte order */
	size_t count;
	char *text;
};

/* names_read() - all names of the open directory @fd; 0 or -errno. */
int names_read(struct names *n, int fd);
void names_free(struct names *n);

#endif
