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

#define AT_SYMLINK_FOLLOW 0x400
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2

struct path_call {
	unsigned short nr;
	enum use use;
	struct path_argument one, two;
};

#define PLAIN(path) { NONE, path, LAST_FOLLOW, NONE }
#define LINK(path) { NONE, path, LAST_KEEP, NONE }
#define NAME(path) { NONE, path, LAST_NAME, NONE }
#define AT(fd, path, last, flags) { fd, path, last, flags }
#define NO_PATH { NONE, NONE, LAST_KEEP, NONE }
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
	ONE(inotify_add_watch, READ, PLAIN(1)),
	ONE(name_to_handle_at, READ, AT(0, 1, LAST_KEEP, NONE)),
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

/* The program's arguments by their number. */
static unsigned long *argument(struct record *r, unsigned int i)
{
	unsigned long *all[] = { &r->rdi, &r->rsi, &r->rdx, &r->r10, &r->r8,
				 &r->r9 };

	return all[i];
}

static enum rule_mode mode_of(const struct found *f)
{
	return f->native ? RULE_HOST : f->mode;
}

/* The mode of what is there, 0 = nothing. */
static unsigned int mode_there(const struct found *f, bool follow)
{
	struct file_status st;

	return SYS(__NR_newfstatat, AT_FDCWD, f->real, &st,
		   follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 ? st.mode : 0;
}

static bool is_directory(unsigned int mode)
{
	return (mode & S_IFMT) == S_IFDIR;
}

static bool is_special(unsigned int mode)
{
	unsigned int type = mode & S_IFMT;

	return type != S_IFREG && type != S_IFDIR && type != S_IFLNK;
}

/* The name itself, whatever slashes stand behind it. */
static unsigned int mode_of_name(const struct found *f)
{
	struct found bare = *f;
	size_t n;

	if (!f->directory)
		return mode_there(f, false);
	for (n = strlen(bare.real); n > 1 && bare.real[n - 1] == '/';)
		bare.real[--n] = 0;
	return mode_there(&bare, false);
}

/* How the directory is missing that the last name should be in, or 0. */
static long parent_missing(const struct found *f)
{
	char parent[PATH_SIZE + 2];
	struct file_status st;
	long result;
	char *slash;

	if (!f->native && (layers_apply(f->rule) || layers_merged(f->rule)))
		return layers_parent(f->rule, f->location, f->dots);
	text_copy(parent, sizeof(parent), f->real);
	for (slash = strrchr(parent, '/'); slash && !slash[1] && slash > parent;
	     slash = strrchr(parent, '/'))
		*slash = 0;
	if (!slash)
		return 0;
	slash[1] = 0;
	result = SYS(__NR_newfstatat, AT_FDCWD, parent, &st, 0);
	return result < 0 ? result : 0;
}

/* The rule whose "mount" @f is in; the border's own name is in the one around,
 * unless it is asked for what lies there (@itself). */
static uint32_t side_of(const struct found *f, bool itself)
{
	uint32_t rule = f->native ? NO_RULE : f->rule;
	struct rule r;

	if (rule == NO_RULE)
		return NO_RULE;
	r = rule_get(rules_now(), rule);
	if ((f->border && !itself) || (r.exact && r.mode == RULE_WRITE_COPY))
		rule = r.outer;
	if (rule != NO_RULE && rule_get(rules_now(), rule).mode == RULE_HOST)
		rule = NO_RULE;
	return rule;
}

static bool is_read_only(uint32_t rule)
{
	return rule != NO_RULE &&
	       rule_get(rules_now(), rule).mode == RULE_READ_ONLY;
}

/* Removing the border's name, as a mount point's. */
static long border_remains(const struct found *f, bool as_directory)
{
	unsigned int mode = mode_there(f, false);

	if (!mode)
		return -ENOENT;
	if (is_directory(mode) != as_directory)
		return as_directory ? -ENOTDIR : -EISDIR;
	return -EBUSY;
}

/* What stands in the way of @use: 0 or -errno, in the kernel's order. */
static long forbidden(const struct found *f, enum use use, bool follow)
{
	enum rule_mode mode = mode_of(f);
	long missing;

	if (mode == RULE_HIDE)
		return use == USE_MAKE && f->border ? -EROFS : -ENOENT;
	if (use == USE_READ || f->dots)
		return 0;
	if (use == USE_CHANGE)
		return mode == RULE_READ_ONLY && mode_there(f, follow) ? -EROFS
								       : 0;
	if (!is_read_only(side_of(f, false)))
		return 0;
	missing = parent_missing(f);
	if (missing < 0)
		return missing;
	return use == USE_MAKE && mode_of_name(f) ? -EEXIST : -EROFS;
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

static enum path_last last_of(struct record *r, const struct path_argument *a)
{
	unsigned long flags = a->flags == NONE ? 0 : *argument(r, a->flags);

	if (flags & AT_SYMLINK_NOFOLLOW && a->last == LAST_FOLLOW)
		return LAST_KEEP;
	if (flags & AT_SYMLINK_FOLLOW && a->last == LAST_KEEP)
		return LAST_FOLLOW;
	return a->last;
}

/* Reads and places one path. */
static long take(struct record *r, const struct path_argument *a,
		 struct changed *c, enum path_last last)
{
	long n;

	c->path = argument(r, a->path);
	c->path_was = *c->path;
	c->fd = a->fd == NONE ? NULL : argument(r, a->fd);
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
	if ((c->last == LAST_FOLLOW || c->last == LAST_LATER) &&
	    exe_asked(c->given)) {
		c->f.native = false;
		c->f.rule = NO_RULE;
		c->f.mode = RULE_HOST;
		c->f.border = c->f.layered = false;
		c->f.dots = c->f.directory = false;
		text_copy(c->f.real, PATH_SIZE, exe_real());
		return 0;
	}
	return path_find(&c->f, c->at, c->given, c->last);
}

/* The rule for what is open where @c is "/proc/self/fd/N" or only a descriptor;
 * NO_RULE: it is neither, or there is none. */
static uint32_t rule_of_descriptor(const struct changed *c, char *location)
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
static void take_descriptor(struct changed *c)
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
	return *argument(r, call->one.path + 1U) & 2 /* W_OK */;
}

static long ask(struct record *r, const struct path_call *call,
		struct changed *c)
{
	enum use use = call->use;
	long result;

	if (use == USE_ACCESS)
		use = USE_READ;
	if (use == USE_MAKE && has_no_target(r))
		use = USE_READ; /* the kernel looks at that first */
	/* Of a directory it is wrong whoever owns it. */
	if (r->nr == __NR_truncate && !c->f.native && !c->empty &&
	    is_directory(mode_there(&c->f, true)))
		use = USE_READ;
	result = c->empty ? 0 : forbidden(&c->f, use, c->last == LAST_FOLLOW);
	if (result == 0 && use == USE_REMOVE && !c->f.native && c->f.border)
		result = border_remains(&c->f, is_rmdir(r));
	if (result < 0)
		return result;
	if (!c->f.native && c->f.layered && !c->empty && use != USE_READ)
		return layered_change(r, use, c);
	result = call_placed(r, c);
	/* A package that lies on a medium without writing is copied from. */
	if (call->use == USE_ACCESS && result == -EROFS &&
	    mode_of(&c->f) == RULE_WRITE_COPY)
		return 0;
	if (call->use == USE_ACCESS && result == 0 && is_write(r, call) &&
	    !c->empty && !c->f.native && layers_merged(c->f.rule) &&
	    !merged_writable(&c->f))
		return -EROFS;
	/* Rights are asked first, and special files may be written anywhere. */
	if (call->use == USE_ACCESS && result == 0 && is_write(r, call) &&
	    mode_of(&c->f) == RULE_READ_ONLY && !c->empty &&
	    !is_special(mode_there(&c->f, c->last == LAST_FOLLOW)))
		return -EROFS;
	return result;
}

/* A call whose path is placed. */
static long placed(struct record *r, const struct path_call *call,
		   struct changed *c)
{
	long result = ask(r, call, c);

	if (call->use == USE_MAKE || call->use == USE_REMOVE)
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

	return placed(r, &call, c);
}

static long one_path(struct record *r, const struct path_call *call)
{
	struct changed c;
	long result = take(r, &call->one, &c, last_of(r, &call->one));

	if (result == 0 && files.on && c.f.native && !c.empty &&
	    call->use == USE_CHANGE && c.last == LAST_FOLLOW)
		take_descriptor(&c);
	return result < 0 ? result : placed(r, call, &c);
}

/* rename() where one of the names is a border's: 1 = it is the same file. */
static long border_moves(const struct found *from, const struct found *to,
			 unsigned long flags)
{
	struct file_status source = { 0 }, target = { 0 };
	bool directory;

	SYS(__NR_newfstatat, AT_FDCWD, from->real, &source, AT_SYMLINK_NOFOLLOW);
	SYS(__NR_newfstatat, AT_FDCWD, to->real, &target, AT_SYMLINK_NOFOLLOW);
	if (!source.mode)
		return -ENOENT;
	if (target.mode && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!target.mode && flags & RENAME_EXCHANGE)
		return -ENOENT;
	directory = is_directory(source.mode);
	if (!directory && (from->directory ||
			   (to->directory && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (flags & RENAME_EXCHANGE && to->directory &&
	    !is_directory(target.mode))
		return -ENOTDIR;
	if (target.mode && source.dev == target.dev && source.ino == target.ino)
		return 1;
	if (target.mode && !(flags & RENAME_EXCHANGE) &&
	    directory != is_directory(target.mode))
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
	if (is_read_only(side))
		return -EROFS;
	if ((!a->f.native && a->f.border) || (!b->f.native && b->f.border))
		return border_moves(&a->f, &b->f, flags);
	return 0;
}

/* The side of what is to be linked, which may be known by a descriptor. */
static uint32_t source_side(const struct changed *a)
{
	char location[PATH_SIZE];
	uint32_t rule;

	if (!a->empty && (!a->f.native || a->last != LAST_FOLLOW))
		return side_of(&a->f, true);
	rule = rule_of_descriptor(a, location);
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
	result = forbidden(&b->f, USE_MAKE, false);
	if (result < 0)
		return result;
	return source_side(a) == side_of(&b->f, false) ? 0 : -EXDEV;
}

/* Of two names, both are walked: a link may lead one of them over a border. */
static long take_exact(struct record *r, const struct path_argument *a,
		       struct changed *c)
{
	long result = take(r, a, c, last_of(r, a));

	if (result < 0 || c->empty || !c->f.native || !files.on)
		return result;
	result = path_exact(&c->f, c->at, c->given, c->last);
	return result < 0 ? result : 0;
}

static long first_missing(const struct path_call *call, const struct changed *a)
{
	struct file_status st;

	if (call->use == USE_MOVE)
		return parent_missing(&a->f);
	return SYS(__NR_newfstatat, AT_FDCWD, a->f.real, &st,
		   a->last == LAST_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW);
}

static long two_paths(struct record *r, const struct path_call *call)
{
	unsigned long flags = r->nr == __NR_renameat2 ? (unsigned int)r->r8 : 0;
	struct changed a, b;
	long result = take_exact(r, &call->one, &a);
	bool is_open = r->nr == __NR_linkat && r->r8 & AT_EMPTY_PATH;

	if (result == 0 && a.empty && !is_open)
		return call_through(r);
	if (result == 0) {
		result = take_exact(r, &call->two, &b);
		/* What is wrong with the first comes first. */
		if (result < 0 && !a.empty && first_missing(call, &a) < 0)
			return first_missing(call, &a);
	}
	if (result < 0)
		return result;
	if (mode_of(&a.f) == RULE_HIDE)
		return -ENOENT;
	if (mode_of(&b.f) == RULE_HIDE)
		return first_missing(call, &a) < 0 || !b.f.border ? -ENOENT
								  : -EROFS;
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
	struct file_status st;
	struct changed c;
	long result;

	if (last_of(r, &call->one) != LAST_FOLLOW)
		return one_path(r, call);
	result = take(r, &call->one, &c, LAST_LATER);
	if (result < 0)
		return result;
	if (c.f.native) {
		c.last = LAST_FOLLOW;
		return placed(r, call, &c);
	}
	if (c.f.directory || mode_of(&c.f) == RULE_HIDE)
		return one_path(r, call);
	result = SYS(__NR_newfstatat, AT_FDCWD, c.f.real, &st,
		     AT_SYMLINK_NOFOLLOW);
	if (result < 0)
		return result;
	if ((st.mode & S_IFMT) == S_IFLNK)
		return one_path(r, call);
	return copy_bytes((void *)*argument(r, call->one.path + 1U), &st,
			  sizeof(st));
}

static bool is_making(unsigned long flags)
{
	return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

/* What a place that is only read, or hidden, says to open(). */
static long open_forbidden(const struct found *f, unsigned long flags)
{
	bool keeps = flags & O_NOFOLLOW || is_making(flags),
	     writes = (flags & 3) != O_RDONLY || flags & O_TRUNC ||
		      (flags & O_TMPFILE) == O_TMPFILE;
	unsigned int there;

	if (mode_of(f) == RULE_HIDE)
		return flags & O_CREAT && f->border ? -EROFS : -ENOENT;
	if (mode_of(f) != RULE_READ_ONLY || flags & O_PATH ||
	    !(writes || flags & O_CREAT))
		return 0;
	there = mode_there(f, !keeps);
	if (!there && flags & O_CREAT)
		return parent_missing(f) < 0 ? parent_missing(f) : -EROFS;
	if (there && is_making(flags))
		return -EEXIST;
	/* A directory is nothing to write, wherever it is, and only in one a
	 * file without a name can be. */
	if (is_directory(there) != ((flags & O_TMPFILE) == O_TMPFILE) &&
	    (is_directory(there) || (flags & O_TMPFILE) == O_TMPFILE))
		return 0;
	return there && writes ? -EROFS : 0;
}

static long open_found(struct record *r, struct changed *c, unsigned long flags)
{
	if (c->f.layered && !c->empty)
		return layered_open(r, c, flags);
	return call_placed(r, c);
}

/*
 * Of what may have to be made every link counts: it may lead to a rule's file
 * that is not there yet. With a slash behind it, and not behind "." or "..",
 * it is no file.
 */
static long place_new(struct changed *c, enum path_last last, long result)
{
	size_t n = strlen(c->given);

	if (n > 1 && c->given[n - 1] == '/' && path_before_dots(c->given) == 0) {
		result = path_exact(&c->f, c->at, c->given, LAST_NAME);
		if (c->f.native)
			return 0;
		if (result == 0)
			result = parent_missing(&c->f);
		return result < 0 ? result : -EISDIR;
	}
	if (result == 0 && c->f.native)
		result = path_exact(&c->f, c->at, c->given, last);
	if (result < 0 || c->f.native || !c->f.directory || c->f.dots)
		return result;
	result = parent_missing(&c->f);
	return result < 0 ? result : -EISDIR;
}

/* As above for open(): where it only reads, a link is refused first. */
static long open_placed(struct record *r, const struct path_argument *a,
			unsigned long *flags, struct changed *c)
{
	unsigned long was = *flags;
	bool keeps = was & O_NOFOLLOW || is_making(was),
	     reads = (was & (3 | O_CREAT | O_TRUNC | O_PATH)) == O_RDONLY;
	enum path_last last = is_making(was) ? LAST_NAME :
			      keeps ? LAST_KEEP : LAST_FOLLOW;
	long result = take(r, a, c, last == LAST_FOLLOW && reads ? LAST_LATER
								  : last);

	if (result == 0 && files.on && c->f.native && !c->empty && !reads &&
	    last == LAST_FOLLOW)
		take_descriptor(c);
	if (result == 0 && files.on && c->f.native && reads && !c->empty &&
	    maps_asked(c->given))
		return maps_open(c->given, was);
	if (was & O_CREAT)
		paths_changed();
	if (was & O_CREAT && files.on && !c->empty)
		result = place_new(c, last, result);
	if (result < 0)
		return result;
	if (c->f.native) {
		result = call_through(r);
		if (result != -ENOENT || !files.on || c->empty)
			return result;
		result = path_exact(&c->f, c->at, c->given, last);
		if (c->f.native)
			return -ENOENT;
		if (result < 0)
			return result;
	} else if (last == LAST_FOLLOW && reads) {
		*flags |= O_NOFOLLOW;
		result = open_forbidden(&c->f, was);
		if (result == 0)
			result = open_found(r, c, was);
		*flags = was;
		if (result != -ELOOP && result != -ENOTDIR)
			return result;
		result = path_exact(&c->f, c->at, c->given, LAST_FOLLOW);
		if (result < 0)
			return result;
	}
	result = open_forbidden(&c->f, was);
	return result < 0 ? result : open_found(r, c, was);
}

static long open_at(struct record *r, const struct path_argument *a,
		    unsigned long *flags)
{
	struct changed c;
	long result = open_placed(r, a, flags, &c);

	places_opened(result, c.f.native ? NO_RULE : c.f.rule);
	return result;
}

static long call_open(struct record *r)
{
	static const struct path_argument a = PLAIN(0);

	return open_at(r, &a, &r->rsi);
}

static long call_creat(struct record *r)
{
	static const struct path_argument a = PLAIN(0);
	unsigned long flags = O_CREAT | O_WRONLY | O_TRUNC;

	return open_at(r, &a, &flags);
}

static long call_openat(struct record *r)
{
	static const struct path_argument a = AT(0, 1, LAST_FOLLOW, NONE);

	return open_at(r, &a, &r->rdx);
}

/* openat2() could forbid the very links that lead to the package. */
static long call_openat2(struct record *r)
{
	static const struct path_argument a = AT(0, 1, LAST_FOLLOW, NONE);
	unsigned long how[3];

	if (r->r10 < sizeof(how) ||
	    copy_bytes(how, (void *)r->rdx, sizeof(how)) < 0)
		return call_through(r);
	if (how[2] != 0)
		return -ENOSYS;
	return open_at(r, &a, &how[0]);
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
	layered_add();
	places_add();
	if (files.on)
		sockets_add();
	names_add();
	root_add();
}
