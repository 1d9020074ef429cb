/* SPDX-License-Identifier: Apache-2.0 */
/* What a directory of several layers lists. */
#ifndef TRANSHIP_ENGINE_LISTING_H
#define TRANSHIP_ENGINE_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DT_CHR 2
#define DT_DIR 4

struct listed {
	uint64_t key;	/* the order, and the offset that stands for it */
	uint64_t ino;
	uint32_t at;	/* of the name in the texts */
	uint8_t type;	/* DT_* */
	uint8_t layer;	/* 0 = topmost */
	uint8_t white;
};

struct listing {
	struct listed *names;
	size_t count, room;
	char *texts;
	size_t used, size;
};

/* An entry as getdents64() writes it. */
struct entry {
	uint64_t ino;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

#define ENTRY_SIZE(n) ((offsetof(struct entry, name) + (n) + 1 + 7) & ~7UL)

/* listing_read() - the names at @location, which @rule decides about, sorted;
 * "." and ".." are not among them. 0 or -errno; to be freed either way. */
long listing_read(struct listing *l, uint32_t rule, const char *location);
/* listing_own() - all that is in the directory @own, in no order. */
long listing_own(struct listing *l, const char *own);
/* listing_is_empty() - whether nothing is listed at @location. */
bool listing_is_empty(uint32_t rule, const char *location);
/* listing_add() - one name more; listing_sort() - by the offsets of names. */
long listing_add(struct listing *l, const char *name, struct listed e);
void listing_sort(struct listing *l);
const char *listing_name(const struct listing *l, size_t i);
void listing_free(struct listing *l);
/* listing_answer() - getdents64() of @fd, which is open there: what fits into
 * @size bytes at @to from its offset on. */
long listing_answer(long fd, unsigned long to, unsigned long size,
		    uint32_t rule, const char *location);

#endif
