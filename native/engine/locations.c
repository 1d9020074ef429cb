// SPDX-License-Identifier: Apache-2.0
/*
 * From a real path, as the kernel tells it, back to the location: by the rule
 * that it was come by where that is known (places.c), or the one that leads to
 * least.
 */
#include "engine.h"
#include "paths.h"
#include "places.h"
#include "sys.h"
#include "text.h"
#include "walk.h"

bool path_is_below(const char *path, const char *top, size_t n)
{
	return strncmp(path, top, n) == 0 && (!path[n] || path[n] == '/');
}

bool path_host_allowed(const char *location)
{
	static const char option[] = "--allow-host=";

	for (unsigned int i = 0; i < engine.option_count; i++) {
		const char *path = engine.options[i] + sizeof(option) - 1;
		size_t n;

		if (strncmp(engine.options[i], option, sizeof(option) - 1) != 0)
			continue;
		for (n = strlen(path); n > 0 && path[n - 1] == '/';)
			n--;
		if (path_is_below(location, path, n))
			return true;
	}
	return false;
}

/* "COPIES/N/upper" and what follows: N is a rule's place in the descriptor. */
static bool location_of_copy(char *path, size_t size)
{
	char number[24], *at = path + strlen(files.copies) + 1;

	for (uint32_t i = 0; i < rules_now()->rule_count; i++) {
		struct rule r = rule_get(rules_now(), i);
		size_t n = text_decimal(number, (int64_t)r.declared);
		const char *rest = at + n + 6;

		if (r.mode != RULE_WRITE_COPY || memcmp(at, number, n) != 0 ||
		    !path_is_below(at + n, "/upper", 6))
			continue;
		if (r.exact)
			return text_copy(path, size, r.from);
		if (strlen(rest) + r.from_length >= size)
			return false;
		memmove(path + r.from_length, rest, strlen(rest) + 1);
		memcpy(path, r.from, r.from_length);
		return true;
	}
	return false;
}

/* The path of a file of the package inside it, if @r leads there or above: how
 * much of it the rule stands for, or -1. */
static long stands_for(const struct rule *r, const char *inside)
{
	size_t n = r->to_length > 1 ? r->to_length : 0;

	if (r->mode == RULE_HIDE || r->mode == RULE_HOST)
		return -1;
	if (r->exact ? strcmp(inside, r->to) != 0
		     : !path_is_below(inside, r->to, n))
		return -1;
	return (long)n;
}

/* Of several rules the one that leads to least, and of equal ones the first. */
static long nearest(struct rule *chosen, const char *inside)
{
	long best = -1;

	for (uint32_t i = 0; i < rules_now()->rule_count; i++) {
		struct rule r = rule_get(rules_now(), i);
		long n = stands_for(&r, inside);

		if (n > best || (n >= 0 && n == best &&
				 r.declared < chosen->declared)) {
			*chosen = r;
			best = n;
		}
	}
	return best;
}

static bool name_by(char *path, size_t size, const struct rule *r,
		    const char *rest)
{
	char behind[PATH_SIZE];

	if (!text_copy(behind, sizeof(behind), rest))
		return false;
	if (!text_join(path, size, r->from_length > 1 ? r->from : "", behind) ||
	    !path[0])
		text_copy(path, size, "/");
	return true;
}

/* By the rule that it was come by, as far as that leads there and no other is
 * in front of it. */
static bool name_as_known(char *path, size_t size, uint32_t rule)
{
	const char *inside = path + files.package_length;
	char location[PATH_SIZE];
	struct rule r;
	long n;

	if (rule >= rules_now()->rule_count)
		return false;
	r = rule_get(rules_now(), rule);
	n = stands_for(&r, inside);
	if (n < 0 || !name_by(location, sizeof(location), &r, inside + n) ||
	    rule_for(rules_now(), location, strlen(location)) != rule)
		return false;
	return text_copy(path, size, location);
}

void path_location(char *path, size_t size, uint32_t rule)
{
	struct rule chosen = { .declared = NO_RULE };
	const char *inside;
	long n;

	if (!files.on)
		return;
	if (files.copies && path_is_below(path, files.copies, strlen(files.copies)) &&
	    path[strlen(files.copies)] && location_of_copy(path, size))
		return;
	if (!path_is_below(path, files.package, files.package_length) ||
	    name_as_known(path, size, rule))
		return;
	inside = path + files.package_length;
	n = nearest(&chosen, inside);
	if (n >= 0)
		name_by(path, size, &chosen, inside + n);
}

/* How often a thread went into another directory: they may share it. */
static unsigned int moves;

void path_moved(void)
{
	__atomic_add_fetch(&moves, 1, __ATOMIC_RELEASE);
}

/*
 * The working directory, which each relative path begins with. Remembered for as
 * long as what walk.c has seen of directories: who renames one above it from
 * outside is seen that much later.
 */
static bool working_directory(char *location)
{
	struct thread *t = thread_self();
	struct working *w = &t->working;
	/* Before it is asked: what changes meanwhile counts. */
	unsigned int change = walk_changes(),
		     moved = __atomic_load_n(&moves, __ATOMIC_ACQUIRE);
	long n;

	if (w->n > 0 && w->change == change && w->moves == moved &&
	    w->rules == t->rules && !walk_is_over(w->until)) {
		memcpy(location, w->location, w->n);
		return true;
	}
	w->n = 0;
	w->until = walk_soon();
	n = SYS(__NR_getcwd, location, PATH_SIZE);
	if (n <= 0 || location[0] != '/')
		return false;
	path_location(location, PATH_SIZE, places_rule(AT_FDCWD));
	n = (long)strlen(location) + 1;
	if ((size_t)n > sizeof(w->location))
		return true;
	memcpy(w->location, location, (size_t)n);
	w->change = change;
	w->moves = moved;
	w->rules = t->rules;
	w->n = (unsigned short)n;
	return true;
}

bool path_of_descriptor(long fd, char *location)
{
	char link[48];
	long n;

	if (fd == AT_FDCWD)
		return working_directory(location);
	text_copy(link, sizeof(link), "/proc/self/fd/");
	text_decimal(link + strlen(link), (int)fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, location, PATH_SIZE - 1);
	location[n > 0 ? n : 0] = 0;
	if (n <= 0 || location[0] != '/')
		return false;
	path_location(location, PATH_SIZE, places_rule(fd));
	return true;
}
