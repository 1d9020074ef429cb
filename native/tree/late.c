// SPDX-License-Identifier: Apache-2.0
/*
 * Directories, once more at the end: whatever is made in one changes its time,
 * and without root's rights its mode must wait as well. They are known by what
 * they are, not by name alone: an entry may have put something else there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "unpack.h"

#define MAX_LATE_BYTES (256U << 20)

int keep_directory(struct unpack *u, const struct entry *e,
		   const struct stat *st)
{
	struct lates *l = &u->lates;
	struct late *late;

	if (l->count == l->room) {
		size_t want = l->room ? l->room * 2 : 256;
		struct late *more = realloc(l->at, want * sizeof(*more));

		if (!more)
			return -ENOMEM;
		l->at = more;
		l->room = want;
	}
	l->bytes += e->path.len + sizeof(*late);
	if (l->bytes > MAX_LATE_BYTES) {
		u->why = "too many directories";
		return -E2BIG;
	}
	late = &l->at[l->count];
	late->path = strndup((const char *)e->path.at, e->path.len);
	if (!late->path)
		return -ENOMEM;
	late->index = l->count++;
	late->mode = e->mode & 07777;
	late->mtime = e->mtime;
	late->dev = st->st_dev;
	late->ino = st->st_ino;
	return 0;
}

static int by_object(const void *a, const void *b)
{
	const struct late *x = a;
	const struct late *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
	const struct late *x = a;
	const struct late *y = b;

	return x->index < y->index ? -1 : 1;
}

static int end_directory(struct unpack *u, const struct late *late)
{
	struct timespec times[2] = { late->mtime, late->mtime };
	struct place p;
	struct stat st;
	int got = resolve(&u->resolver, late->path, strlen(late->path), 0, &p);

	/* Replaced by something else meanwhile: nothing left to do. */
	if (got == -ENOENT || got == -ENOTDIR)
		return 0;
	if (got < 0)
		return got;
	if (fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == late->ino && st.st_dev == late->dev &&
	    S_ISDIR(st.st_mode)) {
		if (utimensat(p.dir, p.name, times, AT_SYMLINK_NOFOLLOW) < 0)
			got = -errno;
		if (got == 0 && !u->root &&
		    fchmodat(p.dir, p.name, late->mode,
			     AT_SYMLINK_NOFOLLOW) < 0)
			got = -errno;
	}
	place_close(&p);
	return got;
}

int end_directories(struct unpack *u)
{
	struct lates *l = &u->lates;
	int got = 0;

	if (l->count == 0)
		return 0;
	/* Of several entries for one directory the last counts. */
	qsort(l->at, l->count, sizeof(*l->at), by_object);
	for (size_t i = 0; i + 1 < l->count; i++) {
		if (l->at[i].dev == l->at[i + 1].dev &&
		    l->at[i].ino == l->at[i + 1].ino) {
			free(l->at[i].path);
			l->at[i].path = NULL;
		}
	}
	qsort(l->at, l->count, sizeof(*l->at), by_index);
	for (size_t i = l->count; i-- > 0 && got == 0;)
		if (l->at[i].path)
			got = end_directory(u, &l->at[i]);
	return got;
}
