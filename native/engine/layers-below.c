// SPDX-License-Identifier: Apache-2.0
/* The layers below the instance's own: the package's files, and what the host has
 * where rules may show it. */
#include "access.h"
#include "layers.h"
#include "text.h"

#define NR_OPENAT2 437
#define RESOLVE_NO_SYMLINKS 4

bool layers_find_host(struct layered *l, const struct rule *r,
		      const char *location, struct file_status *st)
{
	/* No link in the host's folder leads out of it: it would stand where
	 * a directory of the package is. */
	uint64_t how[3] = { O_PATH | O_CLOEXEC | O_NOFOLLOW, 0,
			    RESOLVE_NO_SYMLINKS };
	const char *rest = r->exact ? "" : layers_rest(r, location);
	long top, fd;

	if (!path_host_allowed(location))
		return false;
	if (!*rest) {
		if (layers_look(location, st) < 0)
			return false;
		return text_copy(l->real, PATH_SIZE, location);
	}
	top = SYS(__NR_openat, AT_FDCWD, r->from, O_PATH | O_CLOEXEC, 0);
	if (top < 0)
		return false;
	fd = SYS(NR_OPENAT2, top, rest + 1, how, sizeof(how));
	SYS(__NR_close, top);
	if (fd < 0)
		return is_unknown(fd) && layers_look(location, st) == 0 &&
		       text_copy(l->real, PATH_SIZE, location);
	top = SYS(__NR_fstat, fd, st);
	SYS(__NR_close, fd);
	return top == 0 && text_copy(l->real, PATH_SIZE, location);
}

/* How much of @rest is there below the directory that @path, of PATH_SIZE, is
 * with it. */
static size_t reach(char *path, const char *rest)
{
	size_t n = strlen(path), top = n - strlen(rest);
	struct file_status st;

	while (n > top && layers_look(path, &st) < 0) {
		while (n > top && path[--n] != '/')
			;
		path[n] = 0;
	}
	return n - top;
}

/* Whether the package hides what the host has on the way to @rest. */
static bool is_covered(const struct layered *l, const struct rule *r,
		       const char *rest)
{
	char path[PATH_SIZE];
	size_t package;

	text_copy(path, PATH_SIZE, l->real);
	package = reach(path, rest);
	return !text_join(path, PATH_SIZE, r->from_length > 1 ? r->from : "",
			  rest) || reach(path, rest) <= package;
}

/* In the layers below the own one. */
long layers_find_below(struct layered *l, const struct rule *r,
		       const char *location, struct file_status *st)
{
	const char *rest = r->exact ? "" : layers_rest(r, location);
	long result;

	if (!text_join(l->real, PATH_SIZE, files.package,
		       r->to_length > 1 ? r->to : "") ||
	    !text_join(l->real, PATH_SIZE, l->real, rest))
		return -ENAMETOOLONG;
	if (!l->real[0])
		text_copy(l->real, PATH_SIZE, "/");
	result = layers_look(l->real, st);
	l->where = LAYER_PACKAGE;
	/* Where the kernel may not look, it says so again. */
	if (result == 0 || (result != -ENOENT && result != -ENOTDIR))
		return 0;
	if (result == -ENOENT && layers_find_host(l, r, location, st)) {
		l->where = LAYER_HOST;
		return 0;
	}
	l->where = LAYER_NONE;
	l->error = result;
	/* A file of the host where a directory would have to be. */
	if (result == -ENOENT && path_host_allowed(location) &&
	    layers_look(location, st) == -ENOTDIR && !is_covered(l, r, rest) &&
	    text_copy(l->real, PATH_SIZE, location))
		l->error = -ENOTDIR;
	return 0;
}

bool layers_on_host(uint32_t rule, const char *location,
		    struct file_status *st)
{
	struct rule r = rule_get(rules_now(), rule);
	struct layered l;

	return layers_find_host(&l, &r, location, st);
}
