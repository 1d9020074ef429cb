// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include "memory.h"
#include "names.h"
#include "notify.h"

struct name first_name, second_name;

bool no_follow(const struct call *c, const struct entry *e)
{
	uint32_t at = 0;

	if (c->flags >= 0 && !(c->how & HOW_PLAIN_FLAGS))
		at = (uint32_t)e->arg[c->flags];
	if (c->how & HOW_FOLLOW_FLAG)
		return !(at & AT_SYMLINK_FOLLOW);
	return (c->how & HOW_NOFOLLOW) || (at & AT_SYMLINK_NOFOLLOW);
}

static int dir_of(int arg, const struct entry *e)
{
	return arg < 0 ? AT_FDCWD : (int)e->arg[arg];
}

enum got get_name(struct task *t, const struct call *c,
		  const struct entry *e, int dir, int path)
{
	static char raw[STRING_MAX];
	struct name *out = path == c->path ? &first_name : &second_name;
	int fd = dir_of(dir, e);
	bool names_fd = c->how & HOW_EMPTY;
	long n;

	if (e->arg[path] == 0 && (c->how & HOW_NULL))
		return resolve_fd(t, fd, out) ? GOT_NAME : GOT_NOTHING;
	n = memory_string(t, e->arg[path], raw, sizeof(raw));
	/* The exec of another may have put a new memory in the place of this
	 * one; its own end and its number are told by ptrace. */
	if (t->notice && !t->alone && !notify_valid(t->notice))
		return GOT_NOTHING;
	if (n == -1)
		return GOT_FAULT;
	if (n == -2)
		return GOT_NOTHING;	/* ENAMETOOLONG */
	if (n > 0)
		return resolve(t, fd, (struct span){ raw, (size_t)n }, false,
			       out) ? GOT_NAME : GOT_FAULT;
	if (c->flags >= 0 && !(c->how & HOW_PLAIN_FLAGS))
		names_fd |= (e->arg[c->flags] & AT_EMPTY_PATH) != 0;
	/* What is only looked at was recorded when it was opened. */
	if (!names_fd || fd == AT_FDCWD || c->op == OP_STAT ||
	    c->op == OP_ACCESS)
		return GOT_NOTHING;
	return resolve_fd(t, fd, out) ? GOT_NAME : GOT_NOTHING;
}

struct path_record record_of(const struct call *c, const struct entry *e)
{
	struct path_record r = { .op = c->op, .second = { "", 0 } };

	r.path = name_span(&first_name);
	if (e->i386)
		r.flags |= PATH_I386;
	if (first_name.foreign)
		r.flags |= PATH_FOREIGN;
	return r;
}
