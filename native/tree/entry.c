// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "entry.h"
#include "names.h"
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
	qsort(names, found, sizeof(names[0]), names_compare);
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
