// SPDX-License-Identifier: Apache-2.0
/* The paths among the arguments of a call: read, placed, put and taken back. */
#include "exe.h"
#include "files-call.h"
#include "gate.h"
#include "sys.h"
#include "text.h"

#define AT_SYMLINK_FOLLOW 0x400

/* The program's arguments by their number. */
unsigned long *call_argument(struct record *r, unsigned int i)
{
	unsigned long *all[] = { &r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8,
				 &r->r9 };

	return all[i];
}

void put_path(struct changed *c)
{
	if (c->f.native || c->empty)
		return;
	*c->path = (unsigned long)c->f.real;
	if (c->fd)
		*c->fd = (unsigned long)(long)AT_FDCWD;
}

void take_back(const struct changed *c)
{
	*c->path = c->path_was;
	if (c->fd)
		*c->fd = c->fd_was;
}

long call_placed(struct record *r, struct changed *c)
{
	long result;

	if (c->through)
		return c->through(r, c);
	put_path(c);
	result = call_through(r);
	take_back(c);
	return result;
}

enum path_last last_of(struct record *r, const struct path_argument *a)
{
	unsigned long flags = a->flags == NONE ? 0 : *call_argument(r, a->flags);

	if (flags & AT_SYMLINK_NOFOLLOW && a->last == LAST_FOLLOW)
		return LAST_KEEP;
	if (flags & AT_SYMLINK_FOLLOW && a->last == LAST_KEEP)
		return LAST_FOLLOW;
	return a->last;
}

/* Whether it is the link of a process to its program, whose place is taken then. */
static bool exe_followed(struct changed *c)
{
	const char *path = c->given;
	char name[EXE_NAME];

	if (path[0] != '/' && text_copy(name, sizeof(name), path)) {
		exe_spell(c->at, name);
		path = name;
	}
	if (exe_asked(path))
		return text_copy(c->f.real, PATH_SIZE, exe_real());
	return exe_other(path, c->f.real);
}

/* Reads and places one path. */
long take_path(struct record *r, const struct path_argument *a,
		 struct changed *c, enum path_last last)
{
	long n;

	c->path = call_argument(r, a->path);
	c->path_was = *c->path;
	c->fd = a->fd == NONE ? NULL : call_argument(r, a->fd);
	c->fd_was = c->fd ? *c->fd : 0;
	c->at = c->fd ? (long)(int)c->fd_was : AT_FDCWD;
	c->last = last;
	c->empty = false;
	c->through = NULL;
	c->f.native = true;
	/* No pointer: the kernel has the answer, and for some it is one. */
	if (!c->path_was) {
		c->empty = true;
		return 0;
	}
	n = copy_text(c->given, (const char *)c->path_was, PATH_SIZE);
	if (n < 0)
		return n;
	c->empty = n == 0;
	if (c->empty)
		return 0;
	if (c->last != LAST_KEEP && c->last != LAST_NAME && exe_followed(c)) {
		c->f.native = false;
		c->f.rule = NO_RULE;
		c->f.mode = RULE_HOST;
		c->f.border = c->f.layered = false;
		c->f.dots = c->f.directory = false;
		return 0;
	}
	return path_find(&c->f, c->at, c->given, c->last);
}

/* The rule for what is open where @c is "/proc/self/fd/N" or only a descriptor;
 * NO_RULE: it is neither, or there is none. */
uint32_t rule_of_descriptor(const struct changed *c, char *location)
{
	static const char *const places[] = { "/proc/self/fd/", "/dev/fd/",
					      "/proc/thread-self/fd/" };
	int64_t fd = -1;

	if (c->empty)
		fd = c->at;
	for (unsigned int i = 0; !c->empty && fd < 0 &&
	     i < sizeof(places) / sizeof(places[0]); i++) {
		size_t n = strlen(places[i]);

		if (strncmp(c->given, places[i], n) != 0 ||
		    !text_number(c->given + n, &fd))
			fd = -1;
	}
	if (fd < 0 || !path_of_descriptor(fd, location))
		return NO_RULE;
	return rule_for(rules_now(), location, strlen(location));
}

/*
 * "/proc/self/fd/N" is for the kernel, but for what must not be written where
 * it was opened to be read: that is asked for by its location.
 */
void take_descriptor(struct changed *c)
{
	char location[PATH_SIZE];
	uint32_t rule = rule_of_descriptor(c, location);
	enum rule_mode mode;

	if (rule == NO_RULE)
		return;
	mode = rule_get(rules_now(), rule).mode;
	/* Removed since: it has no location any more. */
	if ((mode != RULE_WRITE_COPY && mode != RULE_READ_ONLY &&
	     mode != RULE_MERGED) ||
	    path_exact(&c->f, AT_FDCWD, location, LAST_KEEP) < 0 ||
	    !mode_there(&c->f, false))
		c->f.native = true;
}
