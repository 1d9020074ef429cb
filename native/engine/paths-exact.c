// SPDX-License-Identifier: Apache-2.0
/*
 * The way of a path that is walked name by name: for paths whose links may lead to
 * where a rule is, and those that are not as simple as most are.
 */
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "walk.h"

static bool ends_as_directory(const char *path)
{
	size_t n = strlen(path);

	if (n > 0 && path[n - 1] == '/')
		return true;
	return strcmp(text_base(path), ".") == 0 ||
	       strcmp(text_base(path), "..") == 0;
}

/* Rule and real path of a location that is known. */
static long settle(struct found *f, size_t n)
{
	struct rule r;

	if (n == 0) {
		text_copy(f->location, sizeof(f->location), "/");
		n = 1;
	}
	f->rule = rule_for(rules_now(), f->location, n);
	f->border = false;
	f->layered = false;
	f->mode = RULE_HOST;
	if (f->rule != NO_RULE) {
		r = rule_get(rules_now(), f->rule);
		f->mode = r.mode;
		f->layered = r.mode == RULE_WRITE_COPY || r.mode == RULE_MERGED;
		/* A single file's copy is not tied to its place. */
		f->border = r.from_length == n && n > 1 &&
			    !(r.exact && r.mode == RULE_WRITE_COPY);
	}
	if (!path_real_of(f->real, PATH_SIZE, f->location, f->rule))
		return -ENAMETOOLONG;
	if (f->directory)
		text_join(f->real, sizeof(f->real), f->real, "/");
	return 0;
}

size_t path_before_dots(const char *path)
{
	size_t n = strlen(path), end;

	while (n > 0 && path[n - 1] == '/')
		n--;
	for (end = n; n > 0 && path[n - 1] != '/';)
		n--;
	if (end - n > 2 || end == n || path[n] != '.' || path[end - 1] != '.')
		return 0;
	return n;
}

/* "." or ".." and nothing else, slashes aside. */
static bool is_only_dots(const char *path)
{
	size_t n = path[0] == '.' ? 1 + (path[1] == '.') : 0;

	while (n > 0 && path[n] == '/')
		n++;
	return n > 0 && !path[n];
}

/* A relative path whose directory has no location: what the kernel says of a
 * descriptor that is none, or no directory's; all else is its own to say. */
static long no_directory(long fd)
{
	struct file_status st;
	long result = fd == AT_FDCWD ? 0 : SYS(__NR_fstat, fd, &st);

	if (fd == AT_FDCWD || result < 0)
		return result;
	return (st.mode & S_IFMT) == S_IFDIR ? 0 : -ENOTDIR;
}

static long exact_dots(struct found *f, long fd, const char *path, size_t n)
{
	char before[PATH_SIZE];
	long result;

	if (n >= PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(before, path, n);
	before[n] = 0;
	result = path_exact(f, fd, n > 0 ? before : ".", LAST_FOLLOW);
	f->dots = true;
	f->border = false;
	if (result == 0 && !f->native &&
	    !text_join(f->real, sizeof(f->real), f->real, path + n))
		return -ENAMETOOLONG;
	return result;
}

/*
 * What is in front of the last name was looked at a moment ago, as mostly: the
 * walk begins behind it. Not where a rule may be at one of the names above
 * though this is none's.
 */
static bool begin_at_parent(struct walk *w, const char *path)
{
	size_t n = strlen(path), parent = n;
	uint32_t rule;

	if (!path_is_simple(path, n))
		return false;
	while (path[parent - 1] != '/')
		parent--;
	if (--parent == 0 || !walk_verified_until(path, parent))
		return false;
	rule = rule_for(rules_now(), path, parent);
	if (rule != NO_RULE && !rule_redirects(rule))
		return false;
	memcpy(w->done, path, parent);
	w->done[parent] = 0;
	w->n = parent;
	w->touched = rule != NO_RULE;
	memcpy(w->todo, path + parent, n - parent + 1);
	return true;
}

/* A directory that was removed is nowhere: what "." and ".." of it are, and that
 * nothing is in it, the kernel knows. */
static bool is_gone(long fd, const char *location)
{
	static const char mark[] = " (deleted)";
	size_t n = strlen(location), size = sizeof(mark) - 1;
	struct file_status st;

	return fd != AT_FDCWD && n > size &&
	       strcmp(location + n - size, mark) == 0 &&
	       SYS(__NR_fstat, fd, &st) == 0 && st.nlink == 0;
}

#define NO_DIRECTORY 1	/* @fd has no location */

/* The walk begins at the root, or where @fd is. */
static long begin(struct walk *w, long fd, const char *path)
{
	char *location = w->done;

	w->n = 0;
	location[0] = 0;
	if (!path[0])
		return -ENOENT;
	if (!text_copy(w->todo, PATH_SIZE, path))
		return -ENAMETOOLONG;
	if (path[0] == '/') {
		w->n = root_begin(location);
		/* One for the root itself holds before any name is seen. */
		w->touched = rule_redirects(rule_for(rules_now(), "/", 1));
		return 0;
	}
	if (!path_of_descriptor(fd, location) || is_gone(fd, location))
		return NO_DIRECTORY;
	w->n = strlen(location);
	w->touched = rule_redirects(rule_for(rules_now(), location, w->n));
	if (w->n == 1)
		w->n = 0;
	location[w->n] = 0;
	return 0;
}

long path_exact(struct found *f, long fd, const char *path,
		enum path_last last)
{
	size_t dots = last == LAST_NAME ? path_before_dots(path) : 0;
	struct walk w;	/* large: not cleared */
	long result;

	if (dots > 0 || (last == LAST_NAME && is_only_dots(path)))
		return exact_dots(f, fd, path, dots);
	f->dots = false;
	f->layered = false;

	w.done = f->location;
	w.slash = false;
	w.absent = false;
	w.links = 0;
	f->native = false;
	f->real[0] = 0;
	f->directory = ends_as_directory(path);
	if (!begin_at_parent(&w, path)) {
		result = begin(&w, fd, path);
		f->native = result == NO_DIRECTORY;
		if (f->native)
			return no_directory(fd);
		if (result < 0)
			return result;
	}
	result = walk_on(&w, last);
	/* Where no rule was on the way the kernel says the same, and better. */
	f->native = !w.touched && !root_changed();
	f->directory = f->directory || w.slash;
	return result < 0 ? result : settle(f, w.n);
}
