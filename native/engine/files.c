// SPDX-License-Identifier: Apache-2.0
/*
 * Element: files. Every call that takes a path gets the real one; what it may
 * do there is what a mount at that place would let it do (fs/namei.c,
 * fs/namespace.c): EROFS, EXDEV across a border, EBUSY for the border itself.
 */
#include "dispatch.h"
#include "engine.h"
#include "exe.h"
#include "files-call.h"
#include "files.h"
#include "gate.h"
#include "layers.h"
#include "merged.h"
#include "paths.h"
#include "places.h"
#include "root.h"
#include "sys.h"
#include "text.h"
#include "watches.h"

#define LINK(path) { NONE, path, LAST_KEEP, NONE }
#define NAME(path) { NONE, path, LAST_NAME, NONE }
#define CALL(name, use, one, two) { __NR_##name, USE_##use, one, two }
#define ONE(name, use, ...) { __NR_##name, USE_##use, __VA_ARGS__, NO_PATH }

static const struct path_call path_calls[] = {
	ONE(stat, READ, PLAIN(0)), ONE(lstat, READ, LINK(0)),
	ONE(newfstatat, READ, AT(0, 1, LAST_FOLLOW, 3)),
	ONE(statx, READ, AT(0, 1, LAST_FOLLOW, 2)),
	ONE(access, ACCESS, PLAIN(0)),
	ONE(faccessat, ACCESS, AT(0, 1, LAST_FOLLOW, NONE)),
	{ 439, USE_ACCESS, AT(0, 1, LAST_FOLLOW, 3), NO_PATH },
	ONE(readlink, READ, LINK(0)),
	ONE(readlinkat, READ, AT(0, 1, LAST_KEEP, NONE)),
	ONE(statfs, READ, PLAIN(0)), ONE(chdir, READ, PLAIN(0)),
	ONE(truncate, CHANGE, PLAIN(0)),
	ONE(chmod, CHANGE, PLAIN(0)),
	ONE(fchmodat, CHANGE, AT(0, 1, LAST_FOLLOW, NONE)),
	{ 452, USE_CHANGE, AT(0, 1, LAST_FOLLOW, 3), NO_PATH },
	ONE(chown, CHANGE, PLAIN(0)), ONE(lchown, CHANGE, LINK(0)),
	ONE(fchownat, CHANGE, AT(0, 1, LAST_FOLLOW, 4)),
	ONE(utime, CHANGE, PLAIN(0)), ONE(utimes, CHANGE, PLAIN(0)),
	ONE(futimesat, CHANGE, AT(0, 1, LAST_FOLLOW, NONE)),
	ONE(utimensat, CHANGE, AT(0, 1, LAST_FOLLOW, 3)),
	ONE(setxattr, CHANGE, PLAIN(0)), ONE(lsetxattr, CHANGE, LINK(0)),
	ONE(getxattr, READ, PLAIN(0)), ONE(lgetxattr, READ, LINK(0)),
	ONE(listxattr, READ, PLAIN(0)), ONE(llistxattr, READ, LINK(0)),
	ONE(removexattr, CHANGE, PLAIN(0)), ONE(lremovexattr, CHANGE, LINK(0)),
	ONE(name_to_handle_at, READ, AT(0, 1, LAST_KEEP, 4)),
	/* setxattrat and its like, file_getattr, file_setattr: Linux 6.13, 6.17 */
	{ 463, USE_CHANGE, AT(0, 1, LAST_FOLLOW, 2), NO_PATH },
	{ 464, USE_READ, AT(0, 1, LAST_FOLLOW, 2), NO_PATH },
	{ 465, USE_READ, AT(0, 1, LAST_FOLLOW, 2), NO_PATH },
	{ 466, USE_CHANGE, AT(0, 1, LAST_FOLLOW, 2), NO_PATH },
	{ 468, USE_READ, AT(0, 1, LAST_FOLLOW, 4), NO_PATH },
	{ 469, USE_CHANGE, AT(0, 1, LAST_FOLLOW, 4), NO_PATH },
	ONE(mkdir, MAKE, NAME(0)),
	ONE(mkdirat, MAKE, AT(0, 1, LAST_NAME, NONE)),
	ONE(mknod, MAKE, NAME(0)),
	ONE(mknodat, MAKE, AT(0, 1, LAST_NAME, NONE)),
	ONE(symlink, MAKE, NAME(1)),
	ONE(symlinkat, MAKE, AT(1, 2, LAST_NAME, NONE)),
	ONE(rmdir, REMOVE, NAME(0)), ONE(unlink, REMOVE, NAME(0)),
	ONE(unlinkat, REMOVE, AT(0, 1, LAST_NAME, NONE)),
	CALL(rename, MOVE, NAME(0), NAME(1)),
	CALL(renameat, MOVE, AT(0, 1, LAST_NAME, NONE),
	     AT(2, 3, LAST_NAME, NONE)),
	CALL(renameat2, MOVE, AT(0, 1, LAST_NAME, NONE),
	     AT(2, 3, LAST_NAME, NONE)),
	CALL(link, MAKE, LINK(0), NAME(1)),
	CALL(linkat, MAKE, AT(0, 1, LAST_KEEP, 4), AT(2, 3, LAST_NAME, NONE)),
};

static unsigned char index_of[CALLS];

static bool is_rmdir(const struct record *r)
{
	return r->nr == __NR_rmdir ||
	       (r->nr == __NR_unlinkat && r->rdx & AT_REMOVEDIR);
}

/* A symbolic link to nothing. */
static bool has_no_target(const struct record *r)
{
	char first = 1;

	return (r->nr == __NR_symlink || r->nr == __NR_symlinkat) &&
	       (copy_bytes(&first, (void *)r->rdi, 1) < 0 || !first);
}

static bool is_write(struct record *r, const struct path_call *call)
{
	return *call_argument(r, call->one.path + 1U) & 2 /* W_OK */;
}

static long ask(struct record *r, const struct path_call *call,
		struct changed *c)
{
	enum use use = call->use;
	long result;

	if (use == USE_ACCESS)
		use = USE_READ;
	/* Of a directory it is wrong whoever owns it. */
	if (r->nr == __NR_truncate && !c->f.native && !c->empty &&
	    mode_is_directory(mode_there(&c->f, true)))
		use = USE_READ;
	result = c->empty ? 0 : use_forbidden(&c->f, use, c->last == LAST_FOLLOW);
	if (result == 0 && use == USE_REMOVE && !c->f.native && c->f.border)
		result = border_remains(&c->f, is_rmdir(r));
	if (result < 0)
		return result;
	if (!c->f.native && c->f.layered && !c->empty && use != USE_READ)
		return layered_change(r, use, c);
	result = call_placed(r, c);
	/* A package that lies on a medium without writing is copied from. */
	if (call->use == USE_ACCESS && result == -EROFS &&
	    found_mode(&c->f) == RULE_WRITE_COPY)
		return 0;
	if (call->use == USE_ACCESS && result == 0 && is_write(r, call) &&
	    !c->empty && !c->f.native && layers_merged(c->f.rule) &&
	    !merged_writable(&c->f))
		return -EROFS;
	/* Rights are asked first, and special files may be written anywhere. */
	if (call->use == USE_ACCESS && result == 0 && is_write(r, call) &&
	    found_mode(&c->f) == RULE_READ_ONLY && !c->empty &&
	    !is_special(mode_there(&c->f, c->last == LAST_FOLLOW)))
		return -EROFS;
	return result;
}

/* A call whose path is placed. */
static long ask_placed(struct record *r, const struct path_call *call,
		   struct changed *c)
{
	long result = ask(r, call, c);

	if (r->nr == __NR_symlink || r->nr == __NR_symlinkat || is_rmdir(r))
		paths_changed();
	if (result == -ENOENT && c->f.native && !c->empty && files.on) {
		/* A link on the way may lead to where a rule is. */
		result = path_exact(&c->f, c->at, c->given, c->last);
		if (c->f.native)
			return -ENOENT;
		if (result == 0)
			result = ask(r, call, c);
	}
	if (r->nr == __NR_chdir && result == 0)
		places_entered(c->f.native ? NO_RULE : c->f.rule);
	return result;
}

long files_placed(struct record *r, enum use use, struct changed *c)
{
	struct path_call call = { (unsigned short)r->nr, use, NO_PATH, NO_PATH };

	return ask_placed(r, &call, c);
}

static long one_path(struct record *r, const struct path_call *call)
{
	struct changed c;
	long result;

	/* The kernel looks at that first, wherever the path leads. */
	if (has_no_target(r))
		return call_through(r);
	result = take_path(r, &call->one, &c, last_of(r, &call->one));
	if (result == 0 && files.on && c.f.native && !c.empty &&
	    call->use == USE_CHANGE && c.last == LAST_FOLLOW)
		take_descriptor(&c);
	return result < 0 ? result : ask_placed(r, call, &c);
}

static long call_path(struct record *r)
{
	const struct path_call *call = &path_calls[index_of[r->nr] - 1];

	return call->two.path == NONE ? one_path(r, call) : two_paths(r, call);
}

/*
 * stat(): its last name may be a link. Instead of looking whether it is one,
 * it is looked at as one; only then the link is followed.
 */
static long call_stat(struct record *r)
{
	const struct path_call *call = &path_calls[index_of[r->nr] - 1];
	unsigned long to = *call_argument(r, call->one.path + 1U);
	struct changed c;
	uint32_t mode;
	long result;

	if (last_of(r, &call->one) != LAST_FOLLOW)
		return one_path(r, call);
	result = take_path(r, &call->one, &c, LAST_LATER);
	if (result < 0)
		return result;
	if (c.f.native) {
		c.last = LAST_FOLLOW;
		return ask_placed(r, call, &c);
	}
	if (c.f.directory || found_mode(&c.f) == RULE_HIDE)
		return one_path(r, call);
	/* To where the program wants it: copying it there would cost more than
	 * to ask twice now and then. */
	result = SYS(__NR_newfstatat, AT_FDCWD, c.f.real, to,
		     AT_SYMLINK_NOFOLLOW);
	if (result < 0)
		return result;
	result = copy_bytes(&mode, (char *)to + offsetof(struct file_status, mode),
			    sizeof(mode));
	return result == 0 && (mode & S_IFMT) == S_IFLNK ? one_path(r, call)
							 : result;
}

static long call_fchdir(struct record *r)
{
	long result = call_through(r);

	if (result == 0)
		path_moved();
	return result;
}

void files_add(void)
{
	for (unsigned int i = 0;
	     i < sizeof(path_calls) / sizeof(path_calls[0]); i++) {
		index_of[path_calls[i].nr] = (unsigned char)(i + 1);
		dispatch_add(path_calls[i].nr, call_path);
	}
	dispatch_add(__NR_stat, call_stat);
	dispatch_add(__NR_newfstatat, call_stat);
	dispatch_add(__NR_open, call_open);
	dispatch_add(__NR_creat, call_creat);
	dispatch_add(__NR_openat, call_openat);
	dispatch_add(437, call_openat2);
	dispatch_add(__NR_inotify_add_watch, call_inotify_add_watch);
	layered_add();
	if (files.on)
		dispatch_add(__NR_fchdir, call_fchdir);
	places_add();
	if (files.on)
		sockets_add();
	names_add();
	root_add();
}
