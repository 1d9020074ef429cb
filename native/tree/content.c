// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "content.h"

/* Data of one DATA frame; whole pages. */
#define CHUNK (FRAME_MAX - 4096)

/* Opens a regular file and says what it is; fd or -errno. */
static int open_file(int dir, const char *name, struct stat *st)
{
	struct stat before;
	int fd;

	if (fstatat(dir, name, &before, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(before.st_mode))
		return -EISDIR;
	if (!S_ISREG(before.st_mode))
		return -EINVAL;
	fd = open_read(dir, name, 0);
	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) ||
	    st->st_ino != before.st_ino || st->st_dev != before.st_dev) {
		close(fd);
		return -EAGAIN;
	}
	return fd;
}

/*
 * put_range() - DATA frames for @length bytes at @offset, read straight into
 * the output buffer
 *
 * Return: bytes put (less than asked only at the end of the file), -errno.
 */
static int64_t put_range(struct server *s, int fd, uint64_t offset,
			 uint64_t length)
{
	struct frame_writer *w = &s->out;
	uint64_t done = 0;

	while (done < length && !w->error) {
		size_t want = length - done < CHUNK ? length - done : CHUNK;
		ssize_t n;

		frame_begin(w, FRAME_DATA, s->id);
		put_u64(w, offset + done);
		if (w->error)
			break;
		do {
			n = pread(fd, w->buf + w->used, want,
				  (off_t)(offset + done));
		} while (n < 0 && errno == EINTR);
		if (n <= 0) {
			int err = n < 0 ? -errno : 0;

			w->used = w->start;
			return err < 0 ? err : (int64_t)done;
		}
		w->used += (size_t)n;
		frame_end(w);
		done += (uint64_t)n;
		if (w->used >= GATHER)
			frame_flush(w);
	}
	return (int64_t)done;
}

int answer_read(struct server *s, struct cursor *c, struct bytes *path)
{
	uint64_t offset = get_u64(c);
	uint64_t limit = get_u64(c);
	struct place p;
	struct stat st;
	int64_t got;
	int fd;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	if (offset > INT64_MAX || limit > INT64_MAX - offset)
		return -EOVERFLOW;
	fd = resolve(&s->resolver, path->at, path->len, RESOLVE_FOLLOW, &p);
	if (fd == 0) {
		fd = open_file(p.dir, p.name, &st);
		place_close(&p);
	}
	if (fd < 0)
		return fd;
	got = put_range(s, fd, offset, limit);
	close(fd);
	if (got < 0)
		return (int)got;
	put_end(s, 0);
	return 0;
}

/* Whether @fd is no longer what @was says. */
static bool changed(int fd, const struct stat *was)
{
	struct stat now;

	return fstat(fd, &now) < 0 || now.st_size != was->st_size ||
	       now.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != was->st_mtim.tv_nsec ||
	       now.st_ctim.tv_sec != was->st_ctim.tv_sec ||
	       now.st_ctim.tv_nsec != was->st_ctim.tv_nsec;
}

static int put_content(struct server *s, int fd, const struct stat *st)
{
	const struct extents *e = &s->extents;
	struct extent whole = { 0, (uint64_t)st->st_size };
	bool all = e->count == NO_EXTENTS;

	for (uint32_t i = 0; i < (all ? 1 : e->count); i++) {
		const struct extent *x = all ? &whole : &e->at[i];
		int64_t got = put_range(s, fd, x->offset, x->length);

		if (got < 0)
			return (int)got;
		if ((uint64_t)got < x->length)
			break;
	}
	put_end(s, changed(fd, st));
	return 0;
}

/* ENTRY and content of the open file @fd, which is closed. */
static int stream_fd(struct server *s, int fd, const struct stat *st,
		     struct bytes path)
{
	struct subject what = { fd, NULL, (const char *)path.at, path.len };
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): errno is not 0 */
	int got = extents_read(&s->extents, fd, (uint64_t)st->st_size);

	if (got == 0)
		got = put_entry(&s->out, s->id, &what, st, &s->extents);
	if (got == 0)
		got = put_content(s, fd, st);
	close(fd);
	return got;
}

static int stream_file(struct server *s, const struct place *p,
		       struct bytes path)
{
	struct stat st;
	int fd = open_file(p->dir, p->name, &st);

	return fd < 0 ? fd : stream_fd(s, fd, &st, path);
}

int answer_stream(struct server *s, struct cursor *c,
			 struct bytes *path)
{
	struct place p;
	struct stat st;
	int got;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	got = resolve(&s->resolver, path->at, path->len, 0, &p);
	if (got < 0)
		return got;
	if (fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		got = -errno;
	} else if (S_ISREG(st.st_mode)) {
		got = stream_file(s, &p, *path);
	} else {
		got = entry_of_place(s, &p, *path);
		if (got == 0)
			put_end(s, 0);
	}
	place_close(&p);
	return got;
}

/*
 * open_magic() - the regular file behind a link that the kernel itself keeps
 *
 * Only on a proc file system: elsewhere such a name is an ordinary link of a
 * tree that may be hostile, and could lead anywhere.
 *
 * Return: fd or -errno.
 */
static int open_magic(const struct place *p, struct stat *st)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct statfs fs;
	struct stat before;
	int fd;

	if (fstatfs(p->dir, &fs) < 0)
		return -errno;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return -EINVAL;
	/* Looks before it opens: opening a fifo or a device does something. */
	if (fstatat(p->dir, p->name, &before, 0) < 0)
		return -errno;
	if (!S_ISREG(before.st_mode))
		return -EINVAL;
	fd = openat(p->dir, p->name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(p->dir, p->name, flags);
	if (fd < 0)
		return -errno;
	if (fstat(fd, st) < 0 || st->st_ino != before.st_ino ||
	    st->st_dev != before.st_dev) {
		close(fd);
		return -EAGAIN;
	}
	return fd;
}

int answer_opened(struct server *s, struct cursor *c,
			 struct bytes *path)
{
	struct place p;
	struct stat st;
	int fd;

	*path = get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	fd = resolve(&s->resolver, path->at, path->len, 0, &p);
	if (fd == 0) {
		fd = open_magic(&p, &st);
		place_close(&p);
	}
	return fd < 0 ? fd : stream_fd(s, fd, &st, *path);
}
