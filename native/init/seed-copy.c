// SPDX-License-Identifier: Apache-2.0
/*
 * The walk over SOURCE: a stack of levels on the heap. A level keeps the names
 * of the directories below it alone: all else is copied as it is read. Only
 * the lowest levels keep their descriptors; further up they are opened again
 * by ".." when the walk comes back. No path is ever resolved, so none is too
 * long. A directory gets its owner, mode and times once all of it is there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mounted.h"
#include "seed.h"
#include "seed-parts.h"

#define KEEP_OPEN 32

struct level {
	int from, to;
	struct stat st;
	/* Directories below that are not copied yet, each with its NUL. */
	char *names;
	size_t used, room, at;
	size_t path_len;
};

struct walk {
	struct seed *s;
	struct level *levels;
	size_t depth, room;
};

/* Room for @wanted bytes at *@at; false with ENOMEM. */
static bool make_room(char **at, size_t *room, size_t wanted)
{
	size_t more = *room ? *room : 256;
	char *grown;

	while (more < wanted)
		more *= 2;
	if (more == *room)
		return true;
	grown = realloc(*at, more);
	if (!grown)
		return false;
	*at = grown;
	*room = more;
	return true;
}

static bool keep_name(struct walk *w, struct level *l, const char *name)
{
	size_t n = strlen(name) + 1;

	if (!make_room(&l->names, &l->room, l->used + n))
		return seed_fail(w->s, "copy", name);
	memcpy(l->names + l->used, name, n);
	l->used += n;
	return true;
}

static bool is_mounted(const struct level *l, const char *name,
		       const struct stat *st)
{
	int told = mounted_here(l->from, name, AT_SYMLINK_NOFOLLOW);

	/* Files of an overlay may have devices of its layers. */
	if (told < 0)
		return S_ISDIR(st->st_mode) && st->st_dev != l->st.st_dev;
	return told;
}

static bool copy_name(struct walk *w, struct level *l, const char *name)
{
	struct seed *s = w->s;
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    (w->depth == 1 && seed_reserved(name)))
		return true;
	if (fstatat(l->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return seed_fail(s, "copy", name);
	if (is_mounted(l, name, &st)) {
		seed_loss(s, LOSS_MOUNT, "is mounted there and left out", name,
			  0);
		return true;
	}
	if (!S_ISDIR(st.st_mode))
		return seed_entry(s, l->from, l->to, name, &st);
	/* A target inside of the source. */
	if (st.st_dev == s->to_stat.st_dev && st.st_ino == s->to_stat.st_ino)
		return true;
	return keep_name(w, l, name);
}

static bool copy_names(struct walk *w, struct level *l)
{
	int fd = fcntl(l->from, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry = NULL;
	bool ok = dir;

	while (ok) {
		errno = 0;
		entry = readdir(dir);
		if (!entry)
			break;
		ok = copy_name(w, l, entry->d_name);
	}
	if (!entry && (!dir || errno))
		ok = seed_fail(w->s, "read", ".");
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return ok;
}

static void close_level(struct level *l)
{
	if (l->from >= 0)
		close(l->from);
	if (l->to >= 0)
		close(l->to);
	l->from = -1;
	l->to = -1;
}

/* A new level of these two, which are the walk's from then on. */
static bool push(struct walk *w, int from, int to)
{
	struct level *l, *more;

	if (w->depth == w->room) {
		size_t room = w->room ? w->room * 2 : 64;

		more = realloc(w->levels, room * sizeof(*more));
		if (!more) {
			close(from);
			close(to);
			return seed_fail(w->s, "copy", ".");
		}
		w->levels = more;
		w->room = room;
	}
	l = &w->levels[w->depth++];
	*l = (struct level){ .from = from, .to = to,
			     .path_len = w->s->path_len };
	if (w->depth > KEEP_OPEN)
		close_level(&w->levels[w->depth - KEEP_OPEN - 1]);
	if (from < 0 || to < 0 || fstat(from, &l->st) < 0)
		return seed_fail(w->s, "copy", ".");
	return copy_names(w, l);
}

static bool down(struct walk *w, struct level *l, const char *name)
{
	struct seed *s = w->s;
	size_t n = strlen(name);
	int from = openat(l->from, name, SEED_DIRECTORY | O_NOATIME);
	int to;

	if (from < 0 && errno == EPERM)
		from = openat(l->from, name, SEED_DIRECTORY);
	if (from < 0)
		return seed_fail(s, "read", name);
	to = mkdirat(l->to, name, 0700) < 0 ? -1 :
		openat(l->to, name, SEED_DIRECTORY);
	if (to < 0 || !make_room(&s->path, &s->path_room, s->path_len + n + 2)) {
		seed_fail(s, "make", name);
		close(from);
		if (to >= 0)
			close(to);
		return false;
	}
	s->path[s->path_len++] = '/';
	memcpy(s->path + s->path_len, name, n + 1);
	s->path_len += n;
	return push(w, from, to);
}

/* Opens @up again, from its directory @l. */
static bool open_again(const struct level *l, struct level *up)
{
	struct stat st;

	if (up->from >= 0)
		return true;
	up->from = openat(l->from, "..", SEED_DIRECTORY);
	up->to = openat(l->to, "..", SEED_DIRECTORY);
	if (up->from < 0 || up->to < 0 || fstat(up->from, &st) < 0)
		return false;
	errno = ESTALE;
	return st.st_dev == up->st.st_dev && st.st_ino == up->st.st_ino;
}

/* The lowest level is whole, the uppermost one is the caller's to finish. */
static bool up(struct walk *w)
{
	struct level *l = &w->levels[w->depth - 1];
	bool ok = true;

	if (w->depth > 1) {
		ok = open_again(l, l - 1) || seed_fail(w->s, "leave", ".");
		ok = ok && seed_metadata(w->s, l->from, l->to, ".", &l->st);
		w->s->path_len = l[-1].path_len;
		w->s->path[w->s->path_len] = 0;
	}
	close_level(l);
	free(l->names);
	w->depth--;
	return ok;
}

bool seed_copy(struct seed *s, int to)
{
	struct walk w = { .s = s };
	bool ok = make_room(&s->path, &s->path_room, 1);

	if (!ok)
		return seed_fail(s, "copy", ".");
	s->path[0] = 0;
	ok = push(&w, fcntl(s->from, F_DUPFD_CLOEXEC, 0),
		  fcntl(to, F_DUPFD_CLOEXEC, 0));
	while (ok && w.depth) {
		struct level *l = &w.levels[w.depth - 1];
		const char *name = l->names + l->at;

		if (l->at == l->used) {
			ok = up(&w);
			continue;
		}
		l->at += strlen(name) + 1;
		ok = down(&w, l, name);
	}
	while (w.depth) {
		close_level(&w.levels[--w.depth]);
		free(w.levels[w.depth].names);
	}
	free(w.levels);
	return ok;
}
