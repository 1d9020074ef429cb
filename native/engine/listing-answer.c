// SPDX-License-Identifier: Apache-2.0
/* What is listed, as getdents64() tells it: from an offset on, which is that of the
 * name before. */
#include "gate.h"
#include "listing.h"
#include "sys.h"
#include "text.h"

#define SEEK_SET 0
#define SEEK_CUR 1

/* One entry at @to, or false where it does not fit. */
static long put(unsigned long to, unsigned long room, const char *name,
		const struct listed *one)
{
	char space[ENTRY_SIZE(255)] __attribute__((aligned(8)));
	struct entry *e = (struct entry *)(void *)space;
	size_t n = strlen(name);

	e->size = (uint16_t)ENTRY_SIZE(n);
	if (e->size > room)
		return 0;
	e->ino = one->ino;
	e->offset = (int64_t)one->key + 1;
	e->type = one->type;
	memset(e->name, 0, e->size - offsetof(struct entry, name));
	memcpy(e->name, name, n);
	return copy_bytes((void *)to, e, e->size) < 0 ? -EFAULT : e->size;
}

static long add_dots(struct listing *l, long fd)
{
	struct file_status self = { 0 }, up = { 0 };
	struct listed one = { .type = DT_DIR };
	long result;

	SYS(__NR_fstat, fd, &self);
	SYS(__NR_newfstatat, fd, "..", &up, 0);
	one.ino = self.ino;
	result = listing_add(l, ".", one);
	one.ino = up.ino;
	if (result == 0)
		result = listing_add(l, "..", one);
	if (result == 0) {
		l->names[l->count - 2].key = 0;
		l->names[l->count - 1].key = 1;
	}
	return result;
}

/* Entries of one offset stay together: none would be told twice. */
static long fill(const struct listing *l, unsigned long to, unsigned long size,
		 uint64_t *offset)
{
	unsigned long used = 0, whole = 0;
	uint64_t start = *offset, whole_offset = start;
	bool any = false;

	for (size_t i = 0; i < l->count; i++) {
		const struct listed *one = &l->names[i];
		long n;

		if (one->key < start)
			continue;
		any = true;
		if (one->key + 1 != *offset || used == 0) {
			whole = used;
			whole_offset = *offset;
		}
		n = put(to + used, size - used, listing_name(l, i), one);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		used += (unsigned long)n;
		*offset = one->key + 1;
		if (i + 1 == l->count)
			return (long)used;
	}
	if (used == 0)
		return any ? -EINVAL : 0;
	if (whole > 0) {
		*offset = whole_offset;
		return (long)whole;
	}
	return (long)used;
}

long listing_answer(long fd, unsigned long to, unsigned long size,
		    uint32_t rule, const char *location)
{
	long at = SYS(__NR_lseek, fd, 0, SEEK_CUR), result;
	struct listing l;
	uint64_t offset;

	if (at < 0)
		return at;
	offset = (uint64_t)at;
	result = listing_read(&l, rule, location);
	if (result == 0)
		result = add_dots(&l, fd);
	if (result == 0) {
		listing_sort(&l);
		result = fill(&l, to, size, &offset);
	}
	if (result > 0)
		SYS(__NR_lseek, fd, offset, SEEK_SET);
	listing_free(&l);
	return result;
}
