// SPDX-License-Identifier: Apache-2.0
/* rename() and link(): two names, and a border that may lie between them. */
#include "files-call.h"
#include "sys.h"

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4

/* rename() where one of the names is a border's: 1 = it is the same file. */
static long border_moves(const struct found *from, const struct found *to,
			 unsigned long flags)
{
	struct file_status source = { 0 }, target = { 0 };
	bool directory;

	status_of_name(from, &source);
	status_of_name(to, &target);
	if (!source.mode)
		return -ENOENT;
	if (target.mode && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!target.mode && flags & RENAME_EXCHANGE)
		return -ENOENT;
	directory = mode_is_directory(source.mode);
	if (!directory && (from->directory ||
			   (to->directory && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (flags & RENAME_EXCHANGE && to->directory &&
	    !mode_is_directory(target.mode))
		return -ENOTDIR;
	if (target.mode && source.dev == target.dev && source.ino == target.ino)
		return 1;
	if (target.mode && !(flags & RENAME_EXCHANGE) &&
	    directory != mode_is_directory(target.mode))
		return directory ? -ENOTDIR : -EISDIR;
	return -EBUSY;
}

static long move_forbidden(const struct changed *a, const struct changed *b,
			   unsigned long flags)
{
	uint32_t side = side_of(&a->f, false);
	long missing = parent_missing(&a->f);

	if (missing == 0)
		missing = parent_missing(&b->f);
	if (missing < 0)
		return missing;
	if (side != side_of(&b->f, false))
		return -EXDEV;
	if (a->f.dots || b->f.dots)
		return 0;
	if (rule_read_only(side))
		return -EROFS;
	if ((!a->f.native && a->f.border) || (!b->f.native && b->f.border))
		return border_moves(&a->f, &b->f, flags);
	return 0;
}

/* The side of what is to be linked, which may be known by a descriptor. */
static uint32_t source_side(const struct changed *a)
{
	bool own = !a->f.native && found_mode(&a->f) != RULE_HOST;
	char location[PATH_SIZE] = "";
	uint32_t rule;

	if (!a->empty && (own || a->last != LAST_FOLLOW))
		return side_of(&a->f, true);
	rule = rule_of_descriptor(a, location);
	if (!location[0] && !a->empty && !a->f.native)
		return side_of(&a->f, true);
	return rule != NO_RULE &&
	       rule_get(rules_now(), rule).mode == RULE_HOST ? NO_RULE : rule;
}

static long link_forbidden(const struct changed *a, const struct changed *b)
{
	long result;

	if ((!a->empty && !mode_there(&a->f, a->last == LAST_FOLLOW)) ||
	    b->f.dots)
		return 0;
	result = parent_missing(&b->f);
	if (result < 0)
		return result;
	if (mode_of_name(&b->f))
		return -EEXIST;
	if (b->f.directory)
		return -ENOENT;
	result = use_forbidden(&b->f, USE_MAKE, false);
	if (result < 0)
		return result;
	return source_side(a) == side_of(&b->f, false) ? 0 : -EXDEV;
}

/* Of two names, both are walked: a link may lead one of them over a border. */
static long take_exact(struct record *r, const struct path_argument *a,
		       struct changed *c)
{
	long result = take_path(r, a, c, last_of(r, a));

	if (result < 0 || c->empty || !c->f.native || !files.on)
		return result;
	result = path_exact(&c->f, c->at, c->given, c->last);
	return result < 0 ? result : 0;
}

static long first_missing(const struct path_call *call, const struct changed *a)
{
	struct file_status st;

	/* Only a descriptor: no rule was asked, and no path is known. */
	if (a->empty)
		return SYS(__NR_newfstatat, a->at, "", &st, AT_EMPTY_PATH);
	if (call->use == USE_MOVE)
		return parent_missing(&a->f);
	return SYS(__NR_newfstatat, AT_FDCWD, a->f.real, &st,
		   a->last == LAST_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
}

/* What the kernel refuses before it looks at a path: layers would have moved things
 * by then. */
static bool contradicts(unsigned long flags)
{
	return flags & ~(unsigned long)(RENAME_NOREPLACE | RENAME_EXCHANGE |
					RENAME_WHITEOUT) ||
	       (flags & RENAME_EXCHANGE &&
		flags & (RENAME_NOREPLACE | RENAME_WHITEOUT));
}

long two_paths(struct record *r, const struct path_call *call)
{
	unsigned long flags = r->nr == __NR_renameat2 ? (unsigned int)r->r8 : 0;
	bool is_open = r->nr == __NR_linkat && r->r8 & AT_EMPTY_PATH;
	struct changed a, b;
	long result;

	if (contradicts(flags))
		return -EINVAL;
	result = take_exact(r, &call->one, &a);
	if (result == 0 && a.empty && !is_open)
		return call_through(r);
	if (result == 0) {
		result = take_exact(r, &call->two, &b);
		/* What is wrong with the first comes first. */
		if (result < 0 && !a.empty && first_missing(call, &a) < 0)
			return first_missing(call, &a);
	}
	if (result != 0)
		return result;
	if (found_mode(&a.f) == RULE_HIDE)
		return -ENOENT;
	if (found_mode(&b.f) == RULE_HIDE) {
		result = first_missing(call, &a);
		if (result == 0)
			result = b.f.border ? -EROFS : -ENOENT;
		return result;
	}
	if (files.on && !b.empty &&
	    (a.empty || !a.f.native || !b.f.native ||
	     (call->use == USE_MAKE && a.last == LAST_FOLLOW))) {
		result = call->use == USE_MOVE ? move_forbidden(&a, &b, flags)
					       : link_forbidden(&a, &b);
	}
	if (result != 0)
		return result < 0 ? result : 0;
	if ((a.f.layered && !a.empty) || (b.f.layered && !b.empty))
		return call->use == USE_MOVE ? layered_move(r, &a, &b)
					     : layered_link(r, &a, &b);
	put_path(&a);
	put_path(&b);
	result = call_through(r);
	take_back(&a);
	take_back(&b);
	paths_changed();
	return result;
}
