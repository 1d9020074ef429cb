// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Objects are added, one at a time, to a tree that programs are using:
 * each appears whole under its name or not at all, nothing that is there is
 * touched, and nothing is left where this process is killed. So a regular file
 * has no name (O_TMPFILE) until content and metadata are complete, and is then
 * linked to its name, which fails where somebody else was first. A file system
 * without O_TMPFILE gets a hidden name beside it: so this process is not killed
 * with its parent, but ends with its input, and then takes that away.
 *
 * A parent is never made, and has to lie in the mount that ROOT is in: what is
 * mounted below (volumes, /proc) belongs to others. Its time is put back: the
 * name was always there as far as anyone is to know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "entry.h"
#include "unpack.h"

#define NOREPLACE 1U
#define HIDDEN ".tranship-placing"

struct placing {
	struct unpack u;
	int root_mount;
	/* the object under way */
	bool open;
	bool hidden;		/* the file has the name HIDDEN meanwhile */
	bool touched;		/* the times of the directory may change */
	int dir;
	char name[256];
	int error;		/* why it is given up already */
	uint32_t id;
	struct timespec parent[2];
};

/* The id of the mount that @fd is in; -1 where it cannot be told. */
static int mount_of(int fd)
{
	char file[48], text[512];
	const char *at;
	long n;
	int info;

	snprintf(file, sizeof(file), "/proc/self/fdinfo/%d", fd);
	info = open(file, O_RDONLY | O_CLOEXEC);
	n = info < 0 ? -1 : read(info, text, sizeof(text) - 1);
	if (info >= 0)
		close(info);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "mnt_id:");
	return at ? atoi(at + 7) : -1;
}

/* Sets p->dir and p->name, and keeps the times of the directory. */
static int find_parent(struct placing *p)
{
	struct place at;
	struct stat st;
	int got = locate(&p->u, p->u.entry.path, 0, &at);

	if (got < 0)
		return got;
	if (strlen(at.name) >= sizeof(p->name) || strcmp(at.name, ".") == 0) {
		got = -EINVAL;
	} else if (fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		got = -EEXIST;
	} else if (errno != ENOENT) {
		got = -errno;
	} else {
		memcpy(p->name, at.name, strlen(at.name) + 1);
		/* To be read and synced: not by O_PATH as it may be. */
		p->dir = openat(at.dir, ".", O_RDONLY | O_DIRECTORY |
				O_CLOEXEC);
		if (p->dir < 0 || fstat(p->dir, &st) < 0)
			got = -errno;
		p->parent[0] = st.st_atim;
		p->parent[1] = st.st_mtim;
	}
	place_close(&at);
	if (got == 0 && mount_of(p->dir) != p->root_mount)
		got = -EXDEV;
	return got;
}

static int open_nameless(struct placing *p)
{
	int fd = openat(p->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	p->hidden = false;
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;
	unlinkat(p->dir, HIDDEN, 0);
	fd = openat(p->dir, HIDDEN, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0600);
	p->hidden = fd >= 0;
	return fd < 0 ? -errno : fd;
}

static int make_other(struct placing *p)
{
	const struct entry *e = &p->u.entry;
	struct place at = { .dir = p->dir, .name = p->name };
	int fd, got;

	if (!S_ISDIR(e->mode)) {
		got = S_ISLNK(e->mode) ? make_symlink(&p->u, e, &at)
				       : make_special(&p->u, e, &at);
		if (got < 0 && got != -EEXIST)
			unlinkat(p->dir, p->name, 0);
		return got;
	}
	if (mkdirat(p->dir, p->name, 0700) < 0)
		return -errno;
	fd = openat(p->dir, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
		    O_CLOEXEC);
	got = fd < 0 ? -errno : apply_fd(&p->u, e, fd, e->mode);
	if (fd >= 0)
		close(fd);
	if (got < 0)
		unlinkat(p->dir, p->name, AT_REMOVEDIR);
	return got;
}

static int begin(struct placing *p)
{
	int got = find_parent(p);

	if (got < 0)
		return got;
	p->touched = true;
	if (!S_ISREG(p->u.entry.mode))
		return make_other(p);
	got = open_nameless(p);
	if (got >= 0)
		p->u.file = got;
	return got < 0 ? got : 0;
}

/* give_name() - to the complete file; never in the place of another. */
static int give_name(struct placing *p)
{
	char file[40];

	if (p->hidden) {
		if (syscall(SYS_renameat2, p->dir, HIDDEN, p->dir, p->name,
			    NOREPLACE) == 0)
			return 0;
		if (errno != ENOSYS && errno != EINVAL)
			return -errno;
		return linkat(p->dir, HIDDEN, p->dir, p->name, 0) < 0
			       ? -errno : 0;
	}
	snprintf(file, sizeof(file), "/proc/self/fd/%d", p->u.file);
	return linkat(AT_FDCWD, file, p->dir, p->name, AT_SYMLINK_FOLLOW) < 0
		       ? -errno : 0;
}

static int finish_file(struct placing *p)
{
	const struct entry *e = &p->u.entry;
	struct stat st;

	if (!data_complete(&p->u))
		return -EIO;
	if (fstat(p->u.file, &st) < 0 ||
	    ((uint64_t)st.st_size != e->size &&
	     ftruncate(p->u.file, (off_t)e->size) < 0))
		return -errno;
	return apply_fd(&p->u, e, p->u.file, e->mode);
}

static void answer(struct placing *p, int err)
{
	if (err) {
		put_error(&p->u.out, p->id, err, p->u.entry.path.at,
			  p->u.entry.path.len);
	} else {
		frame_begin(&p->u.out, FRAME_END, p->id);
		put_u8(&p->u.out, 0);
		frame_end(&p->u.out);
	}
	frame_flush(&p->u.out);
}

/* end() - of the object; @given_up by whoever sends it. */
static void end(struct placing *p, bool given_up)
{
	int got = p->error;

	if (got == 0 && given_up)
		got = -ECANCELED;
	if (p->u.file >= 0) {
		if (got == 0)
			got = finish_file(p);
		if (got == 0)
			got = give_name(p);
		if (p->hidden)
			unlinkat(p->dir, HIDDEN, 0);
		close(p->u.file);
		p->u.file = -1;
	}
	if (p->touched)
		futimens(p->dir, p->parent);
	if (p->dir >= 0)
		close(p->dir);
	p->dir = -1;
	p->touched = false;
	p->open = false;
	answer(p, -got);
}

/* Return: 0, or -EPROTO where the frames are in no order. */
static int take(struct placing *p, const struct frame *f)
{
	struct cursor c = { f->payload, f->len, false };

	if (f->type == FRAME_ENTRY && !p->open) {
		p->id = f->id;
		p->open = true;
		p->error = take_entry(&p->u, f);
		if (p->error == 0)
			p->error = begin(p);
		return 0;
	}
	if (!p->open)
		return -EPROTO;
	if (f->type == FRAME_DATA) {
		if (p->error == 0)
			p->error = take_data(&p->u, &c);
	} else if (f->type == FRAME_END || f->type == FRAME_ERROR) {
		end(p, f->type == FRAME_ERROR);
	} else {
		return -EPROTO;
	}
	return 0;
}

int place_objects(const char *dest)
{
	static struct placing p;
	struct frame f;
	int got;

	p.dir = -1;
	p.u.rules.max_bytes = UINT64_MAX;
	unpack_open(&p.u, dest);
	p.root_mount = mount_of(p.u.resolver.root);
	while ((got = source_next(&p.u.in, &f, NULL)) > 0) {
		got = take(&p, &f);
		if (got < 0)
			break;
	}
	if (p.open)
		end(&p, true);
	return got < 0 ? 125 : 0;
}
