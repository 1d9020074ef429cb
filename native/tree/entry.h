/* SPDX-License-Identifier: Apache-2.0 */
/* An object of the file system into an ENTRY frame. */
#ifndef TRANSHIP_TREE_ENTRY_H
#define TRANSHIP_TREE_ENTRY_H

#include <stdint.h>
#include <sys/stat.h>

#include "extents.h"
#include "frame.h"

/* What an ENTRY is made from: @fd where it is open, else @name in the
 * current directory (never followed). */
struct subject {
	int fd;
	const char *name;
	const char *path;
	size_t path_len;
};

/* put_entry() - an ENTRY frame; 0 or -errno, then nothing was put. */
int put_entry(struct frame_writer *w, uint32_t id, const struct subject *s,
	      const struct stat *st, const struct extents *e);
void put_error(struct frame_writer *w, uint32_t id, int err, const void *path,
	       size_t len);

/* open_read() - @name opened without a trace where allowed, never followed. */
int open_read(int dir, const char *name, int flags);

#endif
