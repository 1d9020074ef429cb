// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "resolve.h"

#define MAX_LINKS 40
/* Opens per request: far above any real path, low enough for a hostile one. */
#define OPEN_BUDGET 100000U
#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static void drop(const struct resolver *r, int fd)
{
	if (fd >= 0 && fd != r->root)
		close(fd);
}

void place_close(struct place *p)
{
	if (!p->borrowed && p->dir >= 0)
		close(p->dir);
	p->dir = -1;
}

static int finish(struct resolver *r, int dir, const char *name,
		  struct place *out)
{
	out->dir = dir;
	out->borrowed = dir == r->root;
	out->name = name;
	out->path = r->len ? r->canon : "/";
	out->path_len = r->len ? r->len : 1;
	return 0;
}

static int push(struct resolver *r, const char *name, size_t n)
{
	if (r->len + 1 + n > PATH_LIMIT)
		return -ENAMETOOLONG;
	r->canon[r->len++] = '/';
	memcpy(r->canon + r->len, name, n);
	r->len += n;
	r->canon[r->len] = '\0';
	return 0;
}

static void pop(struct resolver *r)
{
	while (r->len > 0 && r->canon[--r->len] != '/')
		;
	r->canon[r->len] = '\0';
}

static int open_name(struct resolver *r, int dir, const char *name)
{
	int fd;

	if (r->budget == 0)
		return -ELOOP;
	r->budget--;
	fd = openat(dir, name, DIR_FLAGS);
	return fd < 0 ? -errno : fd;
}

/* Opens the canonical path again, plain names only. */
static int reopen(struct resolver *r)
{
	int dir = r->root;
	size_t at = 0;

	while (at < r->len) {
		char *name = r->canon + at + 1;
		char *end = strchrnul(name, '/');
		char kept = *end;
		int fd;

		*end = '\0';
		fd = open_name(r, dir, name);
		*end = kept;
		drop(r, dir);
		if (fd < 0)
			return fd;
		dir = fd;
		at = (size_t)(end - r->canon);
	}
	return dir;
}

/* Makes a missing parent; the caller opens it again. */
static int make_dir(int dir, const char *name)
{
	if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * follow_link() - put the text of a link in front of what is left
 * @name: last component of the canonical path, still on it
 *
 * Return: 1 link taken, 0 no link, -errno.
 */
static int follow_link(struct resolver *r, int dir, const char *name,
		       char **rest)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(dir, name, text, sizeof(text));
	struct place link;

	if (n < 0)
		return errno == EINVAL ? 0 : -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(text) ||
	    (size_t)(*rest - r->rest) < (size_t)n + 1)
		return -ENAMETOOLONG;
	if (r->on_link) {
		finish(r, dir, name, &link);
		r->on_link(r->on_link_arg, &link);
	}
	*--*rest = '/';
	*rest -= n;
	memcpy(*rest, text, (size_t)n);
	if (text[0] == '/') {
		r->len = 0;
		r->canon[0] = '\0';
	} else {
		pop(r);
	}
	return 1;
}

/*
 * step() - one plain component, already pushed on the canonical path
 *
 * Return: 1 the walk goes on, 0 @name is the object that was asked for,
 * -errno. @dir is replaced by what it leads to.
 */
static int step(struct resolver *r, int flags, int *dir, char **rest)
{
	const char *name = strrchr(r->canon, '/') + 1;
	bool last = (*rest)[strspn(*rest, "/")] == '\0';
	int fd = -ENOTDIR;
	int got;

	if (last && !(flags & RESOLVE_FOLLOW))
		return 0;
	if (!last) {
		fd = open_name(r, *dir, name);
		if (fd == -ENOENT && (flags & RESOLVE_CREATE)) {
			got = make_dir(*dir, name);
			if (got < 0)
				return got;
			fd = open_name(r, *dir, name);
		}
		if (fd >= 0) {
			drop(r, *dir);
			*dir = fd;
			return 1;
		}
		if (fd != -ENOTDIR && !(fd == -ELOOP && r->budget > 0))
			return fd;
	}
	got = follow_link(r, *dir, name, rest);
	if (got < 0)
		return got;
	if (got == 0)
		return last ? 0 : -ENOTDIR;
	/* An absolute link starts over at the root. */
	if (r->len == 0) {
		drop(r, *dir);
		*dir = r->root;
	}
	return 2;
}

static int walk(struct resolver *r, int flags, char *rest, struct place *out)
{
	int dir = r->root;
	int links = 0;
	int got;

	r->len = 0;
	r->canon[0] = '\0';
	for (;;) {
		char *name = rest + strspn(rest, "/");
		size_t n = strcspn(name, "/");

		rest = name + n;
		if (n == 0)
			break;
		if (n == 1 && name[0] == '.')
			continue;
		if (n == 2 && name[0] == '.' && name[1] == '.') {
			pop(r);
			drop(r, dir);
			dir = -1;
			continue;
		}
		if (dir < 0)
			dir = reopen(r);
		if (dir < 0)
			return dir;
		got = push(r, name, n);
		if (got == 0)
			got = step(r, flags, &dir, &rest);
		else
			got = -ENAMETOOLONG;
		if (got == 2 && ++links > MAX_LINKS)
			got = -ELOOP;
		if (got == 0)
			return finish(r, dir, strrchr(r->canon, '/') + 1, out);
		if (got < 0) {
			drop(r, dir);
			return got;
		}
	}
	if (dir < 0)
		dir = reopen(r);
	return dir < 0 ? dir : finish(r, dir, ".", out);
}

/* Cleans @path into the canonical path; false where it has to be walked. */
static bool clean(struct resolver *r, const char *path)
{
	r->len = 0;
	r->canon[0] = '\0';
	for (;;) {
		size_t n;

		path += strspn(path, "/");
		n = strcspn(path, "/");
		if (n == 0)
			return r->len + 1 < PATH_MAX;
		if (n == 2 && path[0] == '.' && path[1] == '.')
			return false;
		if (!(n == 1 && path[0] == '.') && push(r, path, n) < 0)
			return false;
		path += n;
	}
}

/* Return: 0 done, 1 has to be walked, -errno. */
static int at_once(struct resolver *r, int flags, struct place *out)
{
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT,
	};
	char *slash;
	char probe;
	int dir;

	if (r->len == 0)
		return finish(r, r->root, ".", out);
	slash = strrchr(r->canon, '/');
	dir = r->root;
	if (slash != r->canon) {
		if ((flags & RESOLVE_CANONICAL) || r->on_link)
			how.resolve |= RESOLVE_NO_SYMLINKS;
		*slash = '\0';
		dir = (int)syscall(SYS_openat2, r->root, r->canon + 1, &how,
				   sizeof(how));
		*slash = '/';
		if (dir < 0 && errno == ENOENT && (flags & RESOLVE_CREATE))
			return 1;
		if (dir < 0 && (errno == ENOENT || errno == ENOTDIR ||
				errno == EACCES))
			return -errno;
		if (dir < 0)
			return 1;
	}
	if (flags & RESOLVE_FOLLOW) {
		if (readlinkat(dir, slash + 1, &probe, 1) >= 0) {
			drop(r, dir);
			return 1;
		}
		if (errno != EINVAL) {
			int saved = errno;

			drop(r, dir);
			return -saved;
		}
	}
	return finish(r, dir, slash + 1, out);
}

int resolve(struct resolver *r, const void *path, size_t len, int flags,
	    struct place *out)
{
	char *rest = r->rest + REST_LIMIT - len;
	int got;

	out->dir = -1;
	out->borrowed = true;
	r->len = 0;
	r->canon[0] = '\0';
	if (len == 0 || memchr(path, '\0', len))
		return -ENOENT;
	if (len > PATH_LIMIT)
		return -ENAMETOOLONG;
	/* At the end, so that link texts can go in front. */
	memcpy(rest, path, len);
	r->rest[REST_LIMIT] = '\0';
	r->budget = OPEN_BUDGET;
	if (!r->no_openat2 && clean(r, rest)) {
		got = at_once(r, flags, out);
		if (got <= 0)
			return got;
	}
	return walk(r, flags, rest, out);
}
