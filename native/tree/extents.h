/* SPDX-License-Identifier: Apache-2.0 */
/* Where a file has data: what lies between is holes. */
#ifndef TRANSHIP_TREE_EXTENTS_H
#define TRANSHIP_TREE_EXTENTS_H

#include <stdint.h>

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

int extents_init(struct extents *e);
/* extents_read() - where @fd has data; 0 or -errno. */
int extents_read(struct extents *e, int fd, uint64_t size);

#endif
