// SPDX-License-Identifier: Apache-2.0
/*
 * WALK: every object below a directory, parents first, siblings in byte order.
 *
 * Theory: a stack of levels instead of recursion. The directory on top is the
 * current directory, so that its names need no path. Only the upper levels
 * keep their descriptors; one further down is opened again when the walk comes
 * back to it, by ".." if that still is the same directory, else by its path
 * from the root. A directory that is no longer found is reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "names.h"
#include "serve.h"

#define KEEP_OPEN 128

struct level {
	int fd;
	dev_t dev;
	ino_t ino;
	struct names names;
	size_t next;
	size_t path_len;
};

struct walk {
	struct server *s;
	struct level *levels;
	size_t depth;
	size_t room;
	bool one_fs;
	dev_t dev;
	struct bytes exclude;	/* the list as it came, valid */
	uint16_t excludes;
	size_t path_len;	/* without a trailing slash: 0 for the root */
	char path[PATH_LIMIT + 2];
};

static void report(struct walk *w, int err)
{
	put_error(&w->s->out, w->s->id, err, w->path_len ? w->path : "/",
		  w->path_len ? w->path_len : 1);
}

static bool excluded(const struct walk *w)
{
	struct cursor c = { w->exclude.at, w->exclude.len, false };

	for (uint16_t i = 0; i < w->excludes; i++) {
		struct bytes p = get_bytes16(&c);

		while (p.len > 0 && p.at[p.len - 1] == '/')
			p.len--;
		if (w->path_len >= p.len &&
		    memcmp(w->path, p.at, p.len) == 0 &&
		    (w->path_len == p.len || w->path[p.len] == '/'))
			return true;
	}
	return false;
}

/* Puts the ENTRY of @name in the current directory; its st_mode, 0 for none. */
static mode_t visit(struct walk *w, const char *name, struct stat *st)
{
	struct subject what = { -1, name, w->path, w->path_len };
	int got;

	if (w->path_len == 0) {
		what.path = "/";
		what.path_len = 1;
	}
	got = server_entry(w->s, &what, st);
	if (got == 0)
		return st->st_mode;
	if (got != -ENOENT)
		report(w, -got);
	return 0;
}

static int grow(struct walk *w)
{
	size_t want = w->room ? w->room * 2 : 64;
	struct level *more;

	if (w->depth < w->room)
		return 0;
	more = realloc(w->levels, want * sizeof(*more));
	if (!more)
		return -ENOMEM;
	w->levels = more;
	w->room = want;
	return 0;
}

/* Goes down into @name of the current directory. */
static int descend(struct walk *w, const char *name)
{
	struct level *l;
	struct stat st;
	int got = grow(w);
	int fd;

	if (got < 0)
		return got;
	fd = open_read(AT_FDCWD, name, O_DIRECTORY);
	if (fd < 0)
		return fd;
	l = &w->levels[w->depth];
	memset(l, 0, sizeof(*l));
	got = names_read(&l->names, fd);
	if (got == 0 && (fstat(fd, &st) < 0 || fchdir(fd) < 0))
		got = -errno;
	if (got < 0) {
		names_free(&l->names);
		close(fd);
		return got;
	}
	l->fd = fd;
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): errno is not 0 */
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	l->path_len = w->path_len;
	w->depth++;
	if (w->depth > KEEP_OPEN) {
		struct level *far = &w->levels[w->depth - KEEP_OPEN - 1];

		if (far->fd >= 0)
			close(far->fd);
		far->fd = -1;
	}
	return 0;
}

static bool is_level(int fd, const struct level *l)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == l->dev &&
	       st.st_ino == l->ino;
}

/* Opens a level whose descriptor was given up; @below is open or -1. */
static int open_again(struct walk *w, struct level *l, int below)
{
	struct place p;
	int fd = below < 0 ? -1 : open_read(below, "..", O_DIRECTORY);

	if (fd >= 0 && is_level(fd, l))
		return fd;
	if (fd >= 0)
		close(fd);
	if (resolve(&w->s->resolver, l->path_len ? w->path : "/",
		    l->path_len ? l->path_len : 1, 0, &p) < 0)
		return -ESTALE;
	fd = open_read(p.dir, p.name, O_DIRECTORY);
	place_close(&p);
	if (fd >= 0 && is_level(fd, l))
		return fd;
	if (fd >= 0)
		close(fd);
	return -ESTALE;
}

static void ascend(struct walk *w)
{
	struct level *l = &w->levels[--w->depth];
	int below = l->fd;

	names_free(&l->names);
	if (w->depth > 0) {
		struct level *up = &w->levels[w->depth - 1];

		w->path_len = up->path_len;
		w->path[w->path_len] = '\0';
		if (up->fd < 0)
			up->fd = open_again(w, up, below);
		if (up->fd < 0 || fchdir(up->fd) < 0) {
			report(w, ESTALE);
			up->next = up->names.count;
		}
	}
	if (below >= 0)
		close(below);
}

static void next(struct walk *w)
{
	struct level *l = &w->levels[w->depth - 1];
	const char *name;
	struct stat st;
	size_t n;
	int got;

	if (l->next == l->names.count) {
		ascend(w);
		return;
	}
	name = l->names.at[l->next++];
	n = strlen(name);
	w->path_len = l->path_len;
	if (w->path_len + 1 + n > PATH_LIMIT) {
		report(w, ENAMETOOLONG);
		return;
	}
	w->path[w->path_len++] = '/';
	memcpy(w->path + w->path_len, name, n + 1);
	w->path_len += n;
	if (excluded(w) || !S_ISDIR(visit(w, name, &st)))
		return;
	if (w->one_fs && st.st_dev != w->dev)
		return;
	got = descend(w, name);
	if (got < 0)
		report(w, -got);
}

static int start(struct walk *w, struct bytes path)
{
	struct place p;
	struct stat st;
	int got = resolve(&w->s->resolver, path.at, path.len,
			  RESOLVE_CANONICAL, &p);

	if (got < 0)
		return got;
	w->path_len = p.path_len > 1 ? p.path_len : 0;
	memcpy(w->path, p.path, p.path_len + 1);
	if (fchdir(p.dir) < 0 ||
	    fstatat(AT_FDCWD, p.name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		got = -errno;
	} else if (!excluded(w)) {
		w->dev = st.st_dev;
		if (S_ISDIR(visit(w, p.name, &st))) {
			got = descend(w, p.name);
			if (got < 0)
				report(w, -got);
			got = 0;
		}
	}
	place_close(&p);
	return got;
}

int answer_walk(struct server *s, struct cursor *c)
{
	static struct walk w;
	struct bytes path;
	int got;

	w.s = s;
	w.depth = 0;
	w.one_fs = get_u8(c) & 1;
	path = get_bytes16(c);
	w.excludes = get_u16(c);
	w.exclude = (struct bytes){ c->at, c->left };
	for (uint16_t i = 0; i < w.excludes; i++)
		(void)get_bytes16(c);
	if (c->bad)
		return -EBADMSG;
	got = start(&w, path);
	if (got < 0)
		put_error(&s->out, s->id, -got, path.at, path.len);
	while (w.depth > 0 && !s->out.error)
		next(&w);
	while (w.depth > 0)
		ascend(&w);
	return 0;
}
