// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "entry.h"
#include "source.h"

#define XATTR_MAX 65536

int open_read(int dir, const char *name, int flags)
{
	int fd;

	flags |= O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	fd = openat(dir, name, flags | O_NOATIME);
	/* O_NOATIME is for the owner and the privileged. */
	if (fd < 0 && errno == EPERM)
		fd = openat(dir, name, flags);
	return fd < 0 ? -errno : fd;
}

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

static ssize_t list_xattrs(const struct subject *s, char *buf, size_t size)
{
	return s->fd >= 0 ? flistxattr(s->fd, buf, size) :
			    llistxattr(s->name, buf, size);
}

static ssize_t get_xattr(const struct subject *s, const char *name, char *buf,
			 size_t size)
{
	return s->fd >= 0 ? fgetxattr(s->fd, name, buf, size) :
			    lgetxattr(s->name, name, buf, size);
}

static int compare(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* The count and each attribute; 0 or -errno. */
static int put_xattrs(struct frame_writer *w, const struct subject *s)
{
	static char list[XATTR_MAX];
	static char value[XATTR_MAX];
	static const char *names[XATTR_MAX / 2];
	size_t mark = w->used;
	size_t found = 0;
	uint16_t count = 0;
	ssize_t n = list_xattrs(s, list, sizeof(list));

	put_u16(w, 0);
	if (n < 0)
		return errno == ENOTSUP || errno == ENOSYS ||
		       errno == EACCES || errno == EPERM ? 0 : -errno;
	if (n == 0)
		return 0;
	for (const char *at = list; at < list + n; at += strlen(at) + 1)
		if (*at && found < XATTR_MAX / 2)
			names[found++] = at;
	qsort(names, found, sizeof(names[0]), compare);
	for (size_t i = 0; i < found; i++) {
		ssize_t len;

		if (strcmp(names[i], "security.selinux") == 0)
			continue;
		len = get_xattr(s, names[i], value, sizeof(value));
		/* Gone, or of a namespace that is not for us. */
		if (len < 0 && (errno == ENODATA || errno == EPERM ||
				errno == EACCES || errno == ENOTSUP))
			continue;
		if (len < 0)
			return -errno;
		put_bytes16(w, names[i], strlen(names[i]));
		put_bytes32(w, value, (size_t)len);
		count++;
	}
	if (!w->error) {
		w->buf[mark] = (unsigned char)count;
		w->buf[mark + 1] = (unsigned char)(count >> 8);
	}
	return 0;
}

static void put_extents(struct frame_writer *w, const struct extents *e)
{
	if (!e || e->count == NO_EXTENTS) {
		put_u32(w, NO_EXTENTS);
		return;
	}
	put_u32(w, e->count);
	for (uint32_t i = 0; i < e->count; i++) {
		put_u64(w, e->at[i].offset);
		put_u64(w, e->at[i].length);
	}
}

static void put_stat(struct frame_writer *w, const struct stat *st)
{
	bool sized = S_ISREG(st->st_mode) || S_ISLNK(st->st_mode);
	bool device = S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);

	put_u32(w, st->st_mode);
	put_u32(w, st->st_uid);
	put_u32(w, st->st_gid);
	put_u32(w, (uint32_t)st->st_nlink);
	put_u64(w, st->st_dev);
	put_u64(w, st->st_ino);
	put_u64(w, sized ? (uint64_t)st->st_size : 0);
	put_u64(w, (uint64_t)st->st_blocks);
	put_u64(w, (uint64_t)st->st_mtim.tv_sec);
	put_u32(w, (uint32_t)st->st_mtim.tv_nsec);
	put_u64(w, (uint64_t)st->st_ctim.tv_sec);
	put_u32(w, (uint32_t)st->st_ctim.tv_nsec);
	put_u32(w, device ? major(st->st_rdev) : 0);
	put_u32(w, device ? minor(st->st_rdev) : 0);
}

static int withdraw(struct frame_writer *w, int err)
{
	w->used = w->start;
	if (w->error == EMSGSIZE)
		w->error = 0;
	return err;
}

int put_entry(struct frame_writer *w, uint32_t id, const struct subject *s,
	      const struct stat *st, const struct extents *e)
{
	char target[PATH_MAX];
	ssize_t n = 0;
	int got;

	frame_begin(w, FRAME_ENTRY, id);
	put_stat(w, st);
	put_bytes16(w, s->path, s->path_len);
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(AT_FDCWD, s->name, target, sizeof(target));
		if (n < 0)
			return withdraw(w, -errno);
		if ((size_t)n == sizeof(target))
			return withdraw(w, -ENAMETOOLONG);
	}
	put_bytes16(w, target, (size_t)n);
	got = put_xattrs(w, s);
	if (got < 0)
		return withdraw(w, got);
	put_extents(w, e);
	if (w->error == EMSGSIZE)
		return withdraw(w, -E2BIG);
	frame_end(w);
	return 0;
}

void put_error(struct frame_writer *w, uint32_t id, int err, const void *path,
	       size_t len)
{
	frame_begin(w, FRAME_ERROR, id);
	put_u32(w, (uint32_t)err);
	put_bytes16(w, path, len);
	frame_end(w);
}

struct kernel_dirent {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* Appends the names of one getdents64() answer; -ENOMEM or 0. */
static int add_names(struct names *n, const char *buf, long got, size_t *used,
		     size_t *room)
{
	for (long at = 0; at < got;) {
		const struct kernel_dirent *d = (const void *)(buf + at);
		size_t len = strlen(d->name) + 1;

		at += d->reclen;
		if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
			continue;
		if (*used + len > *room) {
			size_t want = *room ? *room * 2 : 4096;
			char *more = realloc(n->text, want + len);

			if (!more)
				return -ENOMEM;
			n->text = more;
			*room = want + len;
		}
		memcpy(n->text + *used, d->name, len);
		*used += len;
		n->count++;
	}
	return 0;
}

int names_read(struct names *n, int fd)
{
	static char buf[65536] __attribute__((aligned(8)));
	size_t used = 0;
	size_t room = 0;
	const char *at;

	memset(n, 0, sizeof(*n));
	for (;;) {
		long got = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		int err = got < 0 ? -errno : 0;

		if (got == 0)
			break;
		if (got > 0)
			err = add_names(n, buf, got, &used, &room);
		if (err < 0) {
			names_free(n);
			return err;
		}
	}
	if (n->count == 0)
		return 0;
	n->at = malloc(n->count * sizeof(*n->at));
	if (!n->at) {
		names_free(n);
		return -ENOMEM;
	}
	at = n->text;
	for (size_t i = 0; i < n->count; i++) {
		n->at[i] = n->text + (at - n->text);
		at += strlen(at) + 1;
	}
	qsort(n->at, n->count, sizeof(*n->at), compare);
	return 0;
}

void names_free(struct names *n)
{
	free(n->at);
	free(n->text);
	memset(n, 0, sizeof(*n));
}
