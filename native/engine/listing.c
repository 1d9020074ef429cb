// SPDX-License-Identifier: Apache-2.0
/*
 * Directories of several layers (fs/overlayfs/readdir.c). The names come in
 * the order of a hash of theirs, and the hash is the offset: kept by the
 * kernel as the descriptor's own, it is the same for dup(), fork() and
 * execve(), for seekdir() of another day, and whatever is made or removed in
 * between. 43 bits: no file system has a shorter limit.
 */
#include "gate.h"
#include "layers.h"
#include "listing.h"
#include "names.h"
#include "text.h"

#define KEY_BITS 43
#define FIRST_KEY 2		/* behind "." and ".." */
#define BLOCK (32UL << 10)
#define MREMAP_MAYMOVE 1

static uint64_t key_of(const char *name)
{
	uint64_t h = 14695981039346656037ULL;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 1099511628211ULL;
	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ULL;
	return FIRST_KEY + (h >> (64 - KEY_BITS));
}

static long grow(void **memory, size_t *size, size_t least)
{
	size_t more = *size ? 2 * *size : BLOCK;
	long at;

	while (more < least)
		more *= 2;
	at = *memory ? SYS(__NR_mremap, *memory, *size, more, MREMAP_MAYMOVE)
		     : SYS(__NR_mmap, 0, more, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (IS_ERROR(at))
		return -ENOMEM;
	*memory = (void *)at;
	*size = more;
	return 0;
}

long listing_add(struct listing *l, const char *name, struct listed e)
{
	size_t n = strlen(name) + 1;
	void *memory = l->names;
	long result = 0;

	if ((l->count + 1) * sizeof(e) > l->room)
		result = grow(&memory, &l->room, 0);
	l->names = memory;
	memory = l->texts;
	if (result == 0 && l->used + n > l->size)
		result = grow(&memory, &l->size, l->used + n);
	l->texts = memory;
	if (result < 0)
		return result;
	e.at = (uint32_t)l->used;
	e.key = key_of(name);
	memcpy(l->texts + l->used, name, n);
	l->used += n;
	l->names[l->count++] = e;
	return 0;
}

const char *listing_name(const struct listing *l, size_t i)
{
	return l->texts + l->names[i].at;
}

void listing_free(struct listing *l)
{
	if (l->names)
		SYS(__NR_munmap, l->names, l->room);
	if (l->texts)
		SYS(__NR_munmap, l->texts, l->size);
	memset(l, 0, sizeof(*l));
}

static bool is_white(long fd, const struct entry *e)
{
	struct file_status st;

	return e->type == DT_CHR &&
	       SYS(__NR_newfstatat, fd, e->name, &st, AT_SYMLINK_NOFOLLOW) ==
	       0 && st.rdev == 0;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static long read_block(struct listing *l, long fd, const char *block, long n,
		       unsigned int layer)
{
	long result = 0;

	for (long at = 0; result == 0 && at < n;) {
		const struct entry *e = (const void *)(block + at);
		struct listed one = { .ino = e->ino, .type = e->type,
				      .layer = (uint8_t)layer,
				      .white = is_white(fd, e) };

		at += e->size;
		if (!is_dots(e->name))
			result = listing_add(l, e->name, one);
	}
	return result;
}

static long read_layer(struct listing *l, const char *directory,
		       unsigned int layer)
{
	char block[4096] __attribute__((aligned(8)));
	long fd = SYS(__NR_openat, AT_FDCWD, directory,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
	long n, result = fd;

	if (fd < 0)
		return result;
	do {
		n = SYS(__NR_getdents64, fd, block, sizeof(block));
		result = n < 0 ? n : read_block(l, fd, block, n, layer);
	} while (n > 0 && result == 0);
	SYS(__NR_close, fd);
	return result;
}

static int order(const struct listing *l, size_t a, size_t b)
{
	const struct listed *x = &l->names[a], *y = &l->names[b];
	int names;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	names = strcmp(l->texts + x->at, l->texts + y->at);
	return names ? names : (int)x->layer - (int)y->layer;
}

static void swap(struct listing *l, size_t a, size_t b)
{
	struct listed t = l->names[a];

	l->names[a] = l->names[b];
	l->names[b] = t;
}

static void sift(struct listing *l, size_t root, size_t end)
{
	for (size_t child; (child = 2 * root + 1) < end; root = child) {
		if (child + 1 < end && order(l, child, child + 1) < 0)
			child++;
		if (order(l, root, child) >= 0)
			return;
		swap(l, root, child);
	}
}

/* In place and without a stack. */
void listing_sort(struct listing *l)
{
	for (size_t i = l->count / 2; i-- > 0;)
		sift(l, i, l->count);
	for (size_t end = l->count; end-- > 1;) {
		swap(l, 0, end);
		sift(l, 0, end);
	}
}

/* Of one name only the topmost, and that only where it is no whiteout. */
static void reduce(struct listing *l)
{
	size_t kept = 0;
	const char *before = NULL;

	for (size_t i = 0; i < l->count; i++) {
		const char *name = listing_name(l, i);

		if (before && strcmp(name, before) == 0)
			continue;
		before = name;
		if (!l->names[i].white)
			l->names[kept++] = l->names[i];
	}
	l->count = kept;
}

/* What rules decide about stands for itself. */
static void drop_ruled(struct listing *l, const char *location)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->count; i++)
		if (!names_ruled(location, listing_name(l, i)))
			l->names[kept++] = l->names[i];
	l->count = kept;
}

static long add_ruled(struct listing *l, const char *location)
{
	char space[ENTRY_SIZE(255)] __attribute__((aligned(8)));
	struct entry *e = (struct entry *)(void *)space;
	long result = 0;

	for (uint32_t i = 0; result == 0 && names_added(e, location, &i); i++) {
		struct listed one = { .ino = e->ino, .type = e->type };

		result = listing_add(l, e->name, one);
	}
	return result;
}

long listing_read(struct listing *l, uint32_t rule, const char *location)
{
	char real[3][PATH_SIZE];
	unsigned int n;
	long result = 0;
	bool lower;

	memset(l, 0, sizeof(*l));
	n = layers_directories(rule, location, real, &lower);
	if (n == 0)
		return -ENOENT;
	for (unsigned int i = 0; result == 0 && i < n; i++)
		result = read_layer(l, real[i], i);
	if (result < 0)
		return result;
	drop_ruled(l, location);
	result = add_ruled(l, location);
	listing_sort(l);
	reduce(l);
	return result;
}

bool listing_is_empty(uint32_t rule, const char *location)
{
	struct listing names;
	bool empty = listing_read(&names, rule, location) == 0 &&
		     names.count == 0;

	listing_free(&names);
	return empty;
}

long listing_own(struct listing *l, const char *own)
{
	memset(l, 0, sizeof(*l));
	return read_layer(l, own, 0);
}
