// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. A stop costs more than all else, so the exit of a call is only
 * waited for where nothing else tells the result:
 *  - what was already recorded as a success is not looked at again;
 *  - of a call that changes nothing, of one that finds nothing to change, and
 *    of an open that only may write later, the tracer foretells the result by
 *    looking for the file itself, where it has the same root and namespace as
 *    the task, and the same rights or can borrow them (PATH_FORETOLD). What
 *    matters later is whether the file was there, and that is what the lookup
 *    answers;
 *  - all other calls are resumed to their exit.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "enter.h"
#include "foretell.h"
#include "look.h"
#include "memory.h"
#include "names.h"
#include "special.h"

static bool wait_exit(struct task *t, const struct call *c,
		      const struct path_record *r, struct seen_key key)
{
	struct pending *k = &t->pending;

	if (!task_keep(t, r->path.p, r->path.n, r->second.p, r->second.n))
		return false;
	k->call = c;
	k->op = r->op;
	k->flags = r->flags;
	k->key = key;
	k->unresolved = false;
	k->magic = false;
	return true;
}

static bool wait_unresolved(struct task *t, const struct call *c)
{
	struct path_record r = { .path = { "", 0 }, .second = { "", 0 } };

	if (!wait_exit(t, c, &r, (struct seen_key){ 0, 0 }))
		return false;
	t->pending.unresolved = true;
	return true;
}

/* Fails where nothing is there, and makes nothing. */
static bool needs_object(const struct call *c, uint8_t op)
{
	return (c->kind == KIND_PATH || c->kind == KIND_OPEN) &&
	       (op == OP_WRITE || op == OP_UNLINK || op == OP_RMDIR ||
		op == OP_META || op == OP_TRUNCATE);
}

static bool say(struct task *t, const struct call *c, struct path_record *r)
{
	struct seen_key key = record_key(r, t->program);
	bool waits = (c->how & HOW_CHANGES) || c->kind != KIND_PATH;

	if (first_name.magic && first_name.n > 7 &&
	    memcmp(first_name.text + first_name.n - 7, "/status", 7) == 0)
		t->reads_status = true;
	if (r->op == OP_READ || r->op == OP_LIST)
		waits = false;
	if (c->kind == KIND_OPEN && r->op == OP_STAT)
		waits = false;
	/* A repeated rename may move other directories than the first. */
	if (r->op != OP_RENAME && r->op != OP_CHDIR && seen_has(key)) {
		statistics.suppressed++;
		return false;
	}
	if (waits ? needs_object(c, r->op) && foretell_change(t, r, key)
		  : foretell(t, r, key))
		return false;
	if (t->notice && lookups_off) {
		/* Asking would touch the file system that a task serves. */
		r->result = RESULT_NOT_ASKED;
		record_path(t->pid, r, key);
		return false;
	}
	if (waits && r->op != OP_CHDIR && r->op != OP_OTHER &&
	    !(r->flags & PATH_EXISTED)) {
		const struct name *made =
			c->kind == KIND_TWO ? &second_name : &first_name;

		if (existed(t, made, c->kind == KIND_TWO ||
				     (r->flags & PATH_NOFOLLOW) != 0))
			r->flags |= PATH_EXISTED;
	}
	if (!wait_exit(t, c, r, key))
		return false;
	t->pending.magic = first_name.magic;
	return true;
}

static bool enter_path(struct task *t, const struct call *c,
		       const struct entry *e)
{
	enum got got = get_name(t, c, e, c->dir, c->path);
	struct path_record r;

	if (got != GOT_NAME)
		return got == GOT_FAULT && wait_unresolved(t, c);
	r = record_of(c, e);
	if (no_follow(c, e) && !(first_name.slash && !(c->how & HOW_CHANGES)))
		r.flags |= PATH_NOFOLLOW;
	if (r.op == OP_UNLINK && c->flags >= 0 &&
	    (e->arg[c->flags] & AT_REMOVEDIR))
		r.op = OP_RMDIR;
	if (c->kind == KIND_PATH)
		return say(t, c, &r);
	return wait_exit(t, c, &r, record_key(&r, t->program));
}

static bool say_open(struct task *t, const struct call *c,
		     const struct entry *e, uint64_t flags)
{
	static struct call writes;
	struct path_record r = record_of(c, e);

	if (flags & O_PATH) {
		r.op = OP_STAT;
	} else if ((flags & O_TMPFILE) == O_TMPFILE) {
		r.op = OP_OTHER;
	} else if (flags & O_CREAT) {
		r.op = OP_CREATE;
	} else if ((flags & 3) != O_RDONLY || (flags & O_TRUNC)) {
		r.op = OP_WRITE;
	} else {
		r.op = flags & O_DIRECTORY ? OP_LIST : OP_READ;
	}
	if ((flags & O_NOFOLLOW) && !first_name.slash)
		r.flags |= PATH_NOFOLLOW;
	if ((flags & O_TRUNC) && !(flags & O_PATH))
		r.flags |= PATH_TRUNCATED;
	if (flags & O_CREAT && flags & O_EXCL)
		r.flags |= PATH_NOFOLLOW;
	/* Its rule is not one of paths: only for the owner of the file. */
	if ((flags & O_NOATIME) && t->less_rights)
		first_name.plain = false;
	if (r.op != OP_CREATE && r.op != OP_WRITE)
		return say(t, c, &r);
	writes = *c;
	writes.how |= HOW_CHANGES;
	if (!say(t, &writes, &r))
		return false;
	t->pending.call = c;
	t->makes = (flags & (O_CREAT | O_EXCL | O_TRUNC)) == O_CREAT;
	return true;
}

static bool enter_open(struct task *t, const struct call *c,
		       const struct entry *e)
{
	enum got got = get_name(t, c, e, c->dir, c->path);

	if (got != GOT_NAME)
		return got == GOT_FAULT && wait_unresolved(t, c);
	return say_open(t, c, e, c->flags >= 0 ? (uint32_t)e->arg[c->flags]
					       : O_CREAT | O_TRUNC | O_WRONLY);
}

static bool enter_openat2(struct task *t, const struct call *c,
			  const struct entry *e)
{
	static char raw[STRING_MAX];
	struct open_how how;
	bool in_root;
	long n;

	n = memory_string(t, e->arg[1], raw, sizeof(raw));
	if (!memory_read(t, e->arg[2], &how, sizeof(how)) || n == -1)
		return wait_unresolved(t, c);
	if (n <= 0)
		return false;
	in_root = how.resolve & RESOLVE_IN_ROOT;
	if (!resolve(t, (int)e->arg[0], (struct span){ raw, (size_t)n },
		     in_root, &first_name))
		return wait_unresolved(t, c);
	/* The rules of resolution are the task's: no plain lookup is equal. */
	if (how.resolve)
		first_name.plain = false;
	return say_open(t, c, e, how.flags);
}

static bool enter_two(struct task *t, const struct call *c,
		      const struct entry *e)
{
	enum got one = get_name(t, c, e, c->dir, c->path);
	enum got two = get_name(t, c, e, c->dir2, c->path2);
	struct path_record r;

	if (one != GOT_NAME || two != GOT_NAME)
		return (one == GOT_FAULT || two == GOT_FAULT) &&
		       wait_unresolved(t, c);
	r = record_of(c, e);
	r.second = name_span(&second_name);
	if (no_follow(c, e))
		r.flags |= PATH_NOFOLLOW;
	return say(t, c, &r);
}

static bool enter_symlink(struct task *t, const struct call *c,
			  const struct entry *e)
{
	static char target[STRING_MAX];
	enum got got = get_name(t, c, e, c->dir, c->path);
	long n = memory_string(t, e->arg[c->path2], target, sizeof(target));
	struct path_record r;

	if (got != GOT_NAME || n < 0)
		return got == GOT_FAULT && wait_unresolved(t, c);
	r = record_of(c, e);
	r.flags |= PATH_NOFOLLOW;
	r.second = (struct span){ target, (size_t)n };
	return say(t, c, &r);
}

static bool enter_fd(struct task *t, const struct call *c,
		     const struct entry *e)
{
	struct path_record r;

	if (!resolve_fd(t, (int)e->arg[0], &first_name))
		return c->op == OP_CHDIR && wait_unresolved(t, c);
	r = record_of(c, e);
	return say(t, c, &r);
}

bool call_enter(struct task *t, const struct entry *e)
{
	const struct call *c;

	if (e->x32) {
		lost(t, LOST_X32, "call of the x32 ABI");
		return false;
	}
	c = calls_find(e->i386, e->nr);
	if (!c)
		return false;
	switch ((enum call_kind)c->kind) {
	case KIND_PATH:
		return enter_path(t, c, e);
	case KIND_OPEN:
		return enter_open(t, c, e);
	case KIND_OPENAT2:
		return enter_openat2(t, c, e);
	case KIND_TWO:
		return enter_two(t, c, e);
	case KIND_SYMLINK:
		return enter_symlink(t, c, e);
	case KIND_FD:
	case KIND_FCHDIR:
		return enter_fd(t, c, e);
	case KIND_CHDIR:
	case KIND_CHROOT:
	case KIND_PIVOT:
		return enter_path(t, c, e);
	case KIND_MOUNT:
		mount_note(t, c, e);
		return enter_path(t, c, e);
	case KIND_HANDLE:
		return wait_unresolved(t, c);
	default:
		return special_enter(t, c, e);
	}
}

/* /dev/null, zero, full, random and their kind: nobody waits in their open(). */
static bool is_memory_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && major(st->st_rdev) == 1;
}

bool call_may_sleep(struct task *t, const struct call *c,
		    const struct entry *e)
{
	struct stat st;

	if (lookups_off)
		return true;
	if (c->kind != KIND_OPEN || get_name(t, c, e, c->dir, c->path) != GOT_NAME)
		return false;
	return look(t, &first_name, no_follow(c, e), &st) == 0 &&
	       !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) &&
	       !is_memory_device(&st);
}
