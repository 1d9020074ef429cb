// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "extents.h"

int extents_init(struct extents *e)
{
	e->count = NO_EXTENTS;
	e->at = malloc(MAX_EXTENTS * sizeof(*e->at));
	return e->at ? 0 : -1;
}

/* Joins neighbours with less than @gap bytes between them. */
static void join(struct extents *e, uint64_t gap)
{
	uint32_t to = 0;

	for (uint32_t i = 1; i < e->count; i++) {
		struct extent *last = &e->at[to];
		uint64_t end = last->offset + last->length;

		if (e->at[i].offset - end < gap)
			last->length = e->at[i].offset + e->at[i].length -
				       last->offset;
		else
			e->at[++to] = e->at[i];
	}
	e->count = to + 1;
}

int extents_read(struct extents *e, int fd, uint64_t size)
{
	off_t at = 0;
	uint64_t gap = 4096;

	e->count = 0;
	while ((uint64_t)at < size) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (hole < 0) {
			/* A file system without holes to tell. */
			e->count = NO_EXTENTS;
			return errno == EINVAL || errno == ENOTSUP ||
			       errno == ENXIO ? 0 : -errno;
		}
		if ((uint64_t)data >= size)
			break;
		if ((uint64_t)hole > size)
			hole = (off_t)size;
		while (e->count == MAX_EXTENTS) {
			join(e, gap);
			gap *= 2;
			if (e->count > MAX_EXTENTS / 2)
				join(e, gap);
		}
		e->at[e->count].offset = (uint64_t)data;
		e->at[e->count++].length = (uint64_t)(hole - data);
		at = hole;
	}
	if (e->count == 1 && e->at[0].offset == 0 && e->at[0].length == size)
		e->count = NO_EXTENTS;
	if (size == 0)
		e->count = NO_EXTENTS;
	return 0;
}
