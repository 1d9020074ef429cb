// SPDX-License-Identifier: Apache-2.0
/*
 * The walk from a path to a location, name by name as the kernel walks
 * (fs/namei.c). What is found on the way is remembered for a moment: walk-known.c.
 */
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "vdso.h"
#include "walk.h"

#define LINKS_MAX 40

/* What the kernel follows by itself better than by its text. */
static bool is_magic(const char *location, uint32_t rule)
{
	return !rule_redirects(rule) && strncmp(location, "/proc/", 6) == 0;
}

/* The target of the link that the walk has come to, by @rule: its length, 0 = there
 * is none. */
static long link_target(struct walk *w, uint32_t rule, char *target)
{
	char real[PATH_SIZE];
	long got;

	if (rule_hides(rule) || is_magic(w->done, rule) ||
	    (w->absent && !rule_redirects(rule)))
		return 0;
	if (!path_real_of(real, sizeof(real), w->done, rule))
		return -ENAMETOOLONG;
	got = SYS(__NR_readlinkat, AT_FDCWD, real, target, PATH_SIZE - 1);
	if (got == -ENOENT && !rule_redirects(rule))
		w->absent = true;
	if (got <= 0)
		return got == 0 ? -ENOENT : 0;
	target[got] = 0;
	return got;
}

/* ".." of what is no directory is an error. */
static long check_directory(const struct walk *w)
{
	uint32_t rule = rule_for(rules_now(), w->done, w->n);
	char real[PATH_SIZE + 2];
	struct file_status st;
	long result;

	if (w->n == 0 || walk_is_directory(w->done, w->n))
		return 0;
	if (rule_hides(rule))
		return -ENOENT;
	if (!path_real_of(real, PATH_SIZE, w->done, rule))
		return -ENAMETOOLONG;
	text_join(real, sizeof(real), real, "/");
	result = SYS(__NR_newfstatat, AT_FDCWD, real, &st, 0);
	if (result == 0)
		walk_directory(w->done, w->n);
	return result < 0 ? result : 0;
}

static void go_up(struct walk *w)
{
	if (root_is(w->done, w->n))
		return;
	while (w->n > 0 && w->done[--w->n] != '/')
		;
	w->done[w->n] = 0;
}

static bool only_slashes(const char *text)
{
	while (*text == '/')
		text++;
	return !*text;
}

/* Behind a single file that a rule names there is nothing, whatever the host
 * has there. */
static long check_single(const struct walk *w, uint32_t rule)
{
	struct rule r = rule_get(rules_now(), rule);

	return r.exact && r.mode != RULE_HIDE ? check_directory(w) : 0;
}

/* Whether the name in front of @rest is left as it is, link or not. */
static bool is_left(const char *rest, enum path_last last)
{
	switch (last) {
	case LAST_FOLLOW:
		return false;
	case LAST_NAME:
		/* To be made or removed: slash or not. */
		return only_slashes(rest);
	case LAST_FILE:
		return *rest && only_slashes(rest);
	default:
		return !*rest;
	}
}

/* Goes one name further; @rest is what stands behind it. */
static long step(struct walk *w, const char *name, size_t size,
		 const char *rest, enum path_last last)
{
	char target[PATH_SIZE];
	size_t start = w->n, behind;
	uint32_t rule;
	long n;

	if (size > NAME_BYTES || w->n + 1 + size >= PATH_SIZE)
		return -ENAMETOOLONG;
	w->done[w->n++] = '/';
	memcpy(w->done + w->n, name, size);
	w->n += size;
	w->done[w->n] = 0;
	rule = rule_for(rules_now(), w->done, w->n);
	if (rule_redirects(rule))
		w->touched = true;
	if (is_left(rest, last) ||
	    (*rest && walk_verified_until(w->done, w->n)))
		return 0;
	if (root_link(w->done)) {
		w->n = root_begin(w->done);
		w->touched = true;
		return 0;
	}
	n = link_target(w, rule, target);
	if (n < 0)
		return n;
	if (n == 0 && rule_redirects(rule) && !only_slashes(rest)) {
		n = check_single(w, rule);
		if (n < 0)
			return n;
	}
	if (n == 0) {
		/* A single file has to be looked at each time, as above. */
		if (*rest && !(rule_redirects(rule) &&
			       rule_get(rules_now(), rule).exact))
			walk_verified(w->done, w->n);
		return 0;
	}
	if (++w->links > LINKS_MAX)
		return -ELOOP;
	behind = strlen(rest);
	if ((size_t)n + 1 + behind >= sizeof(w->todo))
		return -ENAMETOOLONG;
	memmove(w->todo + n, rest, behind + 1);
	memcpy(w->todo, target, (size_t)n);
	w->n = start;
	w->done[w->n] = 0;
	if (w->todo[0] == '/')
		w->n = root_begin(w->done);
	return 1;
}

long walk_on(struct walk *w, enum path_last last)
{
	const char *at = w->todo;

	while (*at) {
		const char *name = at;
		size_t size = 0;
		long result = 0;

		while (name[size] && name[size] != '/')
			size++;
		at = name + size;
		if (size == 0) {
			at++;
			continue;
		}
		w->slash = *at != 0;
		if (size == 1 && name[0] == '.') {
			/* Of what is no directory, or not there, an error. */
			result = only_slashes(at) ? check_directory(w) : 0;
			if (result < 0)
				return result;
			w->slash = true;
			continue;
		}
		if (size == 2 && name[0] == '.' && name[1] == '.') {
			result = check_directory(w);
			go_up(w);
		} else {
			result = step(w, name, size, at, last);
		}
		if (result < 0)
			return result;
		if (result == 1)
			at = w->todo;
	}
	return 0;
}
