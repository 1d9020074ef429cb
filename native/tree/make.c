// SPDX-License-Identifier: Apache-2.0
/*
 * Making objects below DEST. The parent part of a path is resolved with DEST
 * as its root, the last component is only ever used by its name and never
 * followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "unpack.h"

#define DIR_READ (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A path of plain names: no ".", no "..", no NUL. */
static bool is_plain(struct bytes path)
{
	size_t at = 0;

	if (path.len == 0 || memchr(path.at, '\0', path.len))
		return false;
	while (at < path.len) {
		const unsigned char *name = path.at + at;
		const unsigned char *slash = memchr(name, '/', path.len - at);
		size_t n = slash ? (size_t)(slash - name) : path.len - at;

		if ((n == 1 && name[0] == '.') ||
		    (n == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		at += n + 1;
	}
	return true;
}

int locate(struct unpack *u, struct bytes path, int flags, struct place *p)
{
	if (!is_plain(path)) {
		u->why = "the path is not plain";
		return -EINVAL;
	}
	return resolve(&u->resolver, path.at, path.len, flags, p);
}

static int make_directory(struct unpack *u, const struct entry *e,
			  const struct place *p, const struct stat *was)
{
	/* Without root's rights things are made below it only so. */
	mode_t mode = e->mode | (u->root ? 0 : 0700);
	struct stat st;
	int got;
	int fd;

	if ((!was || !S_ISDIR(was->st_mode)) &&
	    mkdirat(p->dir, p->name, 0700) < 0)
		return -errno;
	/* Hidden below it was what lower layers have of that name. */
	if (was && is_whiteout(was)) {
		got = set_opaque(p->dir, p->name);
		if (got < 0)
			return got;
	}
	fd = openat(p->dir, p->name, DIR_READ);
	if (fd < 0)
		return -errno;
	got = apply_fd(u, e, fd, mode);
	if (got == 0 && fstat(fd, &st) < 0)
		got = -errno;
	close(fd);
	return got < 0 ? got : keep_directory(u, e, &st);
}

int make_symlink(struct unpack *u, const struct entry *e,
		 const struct place *p)
{
	char target[PATH_MAX];

	if (e->target.len == 0 || e->target.len >= sizeof(target) ||
	    memchr(e->target.at, '\0', e->target.len)) {
		u->why = "the target of the link is not valid";
		return -EINVAL;
	}
	memcpy(target, e->target.at, e->target.len);
	target[e->target.len] = '\0';
	if (symlinkat(target, p->dir, p->name) < 0)
		return -errno;
	return apply_name(u, e, p);
}

int make_special(struct unpack *u, const struct entry *e,
		 const struct place *p)
{
	dev_t dev = 0;

	if (S_ISCHR(e->mode) || S_ISBLK(e->mode)) {
		bool allowed = false;

		dev = makedev(e->rdev_major, e->rdev_minor);
		for (size_t i = 0; i < u->rules.device_count; i++)
			if (u->rules.devices[i] == dev)
				allowed = true;
		/* 0:0 would be a whiteout. */
		if (!allowed || dev == 0) {
			u->why = "the device was not announced";
			return -EPERM;
		}
	}
	if (mknodat(p->dir, p->name, e->mode, dev) < 0)
		return -errno;
	return apply_name(u, e, p);
}

/* The regular file itself; its content follows. */
static int open_new(struct unpack *u, const struct entry *e,
		    const struct place *p)
{
	if (e->size > INT64_MAX)
		return -EFBIG;
	u->file = openat(p->dir, p->name,
			 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			 0600);
	return u->file < 0 ? -errno : 0;
}

static int make_at(struct unpack *u, const struct entry *e,
		   const struct place *p)
{
	struct stat st;
	const struct stat *was = &st;
	int got;

	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		was = NULL;
	}
	if (strcmp(p->name, ".") == 0 && !S_ISDIR(e->mode)) {
		u->why = "the root has to be a directory";
		return -EINVAL;
	}
	if (was && !(S_ISDIR(was->st_mode) && S_ISDIR(e->mode))) {
		got = remove_at(p->dir, p->name);
		if (got < 0)
			return got;
	}
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		return make_directory(u, e, p, was);
	case S_IFREG:
		return open_new(u, e, p);
	case S_IFLNK:
		return make_symlink(u, e, p);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return make_special(u, e, p);
	default:
		u->why = "no type of file has this mode";
		return -EINVAL;
	}
}

int make_entry(struct unpack *u, const struct entry *e)
{
	struct place p;
	int got = locate(u, e->path, RESOLVE_CREATE, &p);

	if (got == 0) {
		got = make_at(u, e, &p);
		place_close(&p);
	}
	return got;
}

int end_file(struct unpack *u)
{
	struct stat st;
	int got = 0;

	if (fstat(u->file, &st) < 0 ||
	    ((uint64_t)st.st_size != u->entry.size &&
	     ftruncate(u->file, (off_t)u->entry.size) < 0))
		got = -errno;
	if (got == 0)
		got = apply_fd(u, &u->entry, u->file, u->entry.mode);
	if (close(u->file) < 0 && got == 0)
		got = -errno;
	u->file = -1;
	return got;
}

static int link_at(struct unpack *u, struct bytes path, const struct place *to)
{
	struct place p;
	struct stat target;
	struct stat was;
	int got = 0;

	if (fstatat(to->dir, to->name, &target, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(target.st_mode)) {
		u->why = "a hard link to a directory";
		return -EPERM;
	}
	got = locate(u, path, RESOLVE_CREATE, &p);
	if (got < 0)
		return got;
	if (fstatat(p.dir, p.name, &was, AT_SYMLINK_NOFOLLOW) == 0) {
		if (was.st_ino == target.st_ino && was.st_dev == target.st_dev)
			goto out;
		got = strcmp(p.name, ".") ? remove_at(p.dir, p.name) : -EINVAL;
	}
	if (got == 0 && linkat(to->dir, to->name, p.dir, p.name, 0) < 0)
		got = -errno;
out:
	place_close(&p);
	return got;
}

int make_hardlink(struct unpack *u, struct bytes path, struct bytes target)
{
	struct place to;
	char *name;
	int got = locate(u, target, 0, &to);

	if (got < 0)
		return got;
	/* The resolver's own copy goes with the next path. */
	name = strdup(to.name);
	to.name = name;
	got = name ? link_at(u, path, &to) : -ENOMEM;
	free(name);
	place_close(&to);
	return got;
}

int make_whiteout(struct unpack *u, struct bytes path)
{
	struct place p;
	struct stat st;
	int got = locate(u, path, RESOLVE_CREATE, &p);

	if (got < 0)
		return got;
	if (strcmp(p.name, ".") == 0)
		got = -EINVAL;
	else if (fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		got = S_ISDIR(st.st_mode) ? set_opaque(p.dir, p.name) : 0;
	else if (errno != ENOENT || mknodat(p.dir, p.name, S_IFCHR, 0) < 0)
		got = -errno;
	place_close(&p);
	return got;
}

int make_opaque(struct unpack *u, struct bytes path)
{
	struct place p;
	int got = locate(u, path, RESOLVE_CREATE, &p);

	if (got < 0)
		return got;
	if (mkdirat(p.dir, p.name, 0755) < 0 && errno != EEXIST)
		got = -errno;
	if (got == 0)
		got = set_opaque(p.dir, p.name);
	place_close(&p);
	return got;
}
