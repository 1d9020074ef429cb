// SPDX-License-Identifier: Apache-2.0
/*
 * Calls at paths of several layers (fs/overlayfs/dir.c, inode.c): what is only
 * read is asked for where it is; what is changed is copied into the own layer
 * first, and what is removed leaves a whiteout where a layer below has it.
 *
 * A file that is merged with the host's is written there, without a copy; of
 * such a folder merged.c is.
 */
#include "files-call.h"
#include "gate.h"
#include "layers.h"
#include "listing.h"
#include "merged.h"
#include "text.h"

#define R_OK 4
#define W_OK 2
#define F_GETFL 3
#define NR_FACCESSAT2 439
#define NR_FCHMODAT2 452
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4

static bool is_directory(unsigned int mode)
{
	return (mode & S_IFMT) == S_IFDIR;
}

static bool set_real(struct found *f, const char *real)
{
	return text_copy(f->real, PATH_SIZE, real) &&
	       (!f->directory || text_join(f->real, sizeof(f->real), f->real,
					   "/"));
}

/* At the host's own file. */
static long ask_host(struct record *r, struct changed *c)
{
	return set_real(&c->f, c->f.location) ? call_placed(r, c) : -ENAMETOOLONG;
}

static bool is_name(const struct changed *c, const struct layered *l)
{
	return l->where != LAYER_NONE && c->f.directory &&
	       !is_directory(l->mode);
}

/* Whether the caller may write to @l, so that copying it is no way around. */
static long may_write(const struct layered *l, int mode)
{
	long result = SYS(NR_FACCESSAT2, AT_FDCWD, l->real, mode, AT_EACCESS);

	return result == -EACCES || result == -EPERM ? -EACCES : 0;
}

/* Who is not the owner could change a copy, since it is his. */
static long may_change(const struct record *r, const struct layered *l)
{
	uint32_t user = (uint32_t)SYS(__NR_geteuid);

	switch (r->nr) {
	case __NR_truncate:
	case __NR_setxattr:
	case __NR_removexattr:
	case __NR_utime:
	case __NR_utimes:
	case __NR_utimensat:
	case __NR_futimesat:
		return user && user != l->uid ? may_write(l, W_OK) : 0;
	default:
		return user && user != l->uid ? -EPERM : 0;
	}
}

static long change(struct record *r, struct changed *c)
{
	struct layered l;
	long result = layers_find(&l, c->f.rule, c->f.location), lock;

	if (result < 0)
		return result;
	/* What is wrong with the path the kernel says itself, and that a
	 * directory is nothing to truncate. */
	if (l.where == LAYER_NONE || l.where == LAYER_OWN || is_name(c, &l) ||
	    (r->nr == __NR_truncate && is_directory(l.mode)))
		return call_placed(r, c);
	result = may_change(r, &l);
	if (result < 0)
		return result;
	lock = layers_lock();
	if (lock < 0)
		return lock;
	result = layers_raise(c->f.rule, c->f.location, true);
	layers_unlock(lock);
	if (result < 0)
		return result;
	return set_real(&c->f, l.own) ? call_placed(r, c) : -ENAMETOOLONG;
}

/* With the lock: the place of a new name is made free, and *white says whether
 * a whiteout was there. */
static long prepare_new(const struct changed *c, struct layered *l, bool *white)
{
	long result = layers_raise_parent(c->f.rule, c->f.location);

	*white = result == 0 && l->white;
	if (*white)
		result = SYS(__NR_unlinkat, AT_FDCWD, l->own, 0);
	if (result < 0)
		*white = false;
	return result;
}

static long make(struct record *r, struct changed *c)
{
	long lock = layers_lock(), result;
	struct layered l;
	bool white;

	if (lock < 0)
		return lock;
	result = layers_find(&l, c->f.rule, c->f.location);
	if (result == 0 && (l.where != LAYER_NONE || l.error == -ENOTDIR)) {
		result = call_placed(r, c);
	} else if (result == 0) {
		result = prepare_new(c, &l, &white);
		if (result == 0)
			result = set_real(&c->f, l.own) ? call_placed(r, c)
							: -ENAMETOOLONG;
		if (result == 0 && white &&
		    (r->nr == __NR_mkdir || r->nr == __NR_mkdirat))
			result = layers_close(l.own);
		else if (result < 0 && white)
			layers_whiten(c->f.rule, l.own, false, false);
	}
	layers_unlock(lock);
	return result;
}

/* Who may not remove it here is told by the directory's own mode, which the
 * own layer has as well. */
static long remove_found(struct record *r, struct changed *c, struct layered *l)
{
	bool directory = is_directory(l->mode), own = l->where == LAYER_OWN,
	     below = layers_below(c->f.rule, c->f.location);
	bool as_directory = r->nr == __NR_rmdir ||
			    (r->nr == __NR_unlinkat && r->rdx & AT_REMOVEDIR);
	long result;

	if (directory != as_directory || is_name(c, l))
		return directory ? -EISDIR : -ENOTDIR;
	if (directory && !listing_is_empty(c->f.rule, c->f.location))
		return -ENOTEMPTY;
	if (own && !below) {
		if (directory)
			layers_clear(l->own);
		return call_placed(r, c);
	}
	result = own ? 0 : layers_raise_parent(c->f.rule, c->f.location);
	if (result < 0)
		return result;
	return layers_whiten(c->f.rule, l->own, own, directory);
}

static long take_away(struct record *r, struct changed *c)
{
	long lock = layers_lock(), result;
	struct layered l;

	if (lock < 0)
		return lock;
	result = layers_find(&l, c->f.rule, c->f.location);
	if (result == 0)
		result = l.where == LAYER_NONE ? call_placed(r, c)
					       : remove_found(r, c, &l);
	layers_unlock(lock);
	return result;
}

long layered_change(struct record *r, enum use use, struct changed *c)
{
	if (c->f.dots)
		return call_placed(r, c);
	if (layers_merged(c->f.rule))
		return merged_change(r, use, c);
	if (!layers_apply(c->f.rule))
		return ask_host(r, c);
	if (use == USE_CHANGE)
		return change(r, c);
	return use == USE_MAKE ? make(r, c) : take_away(r, c);
}

/* What rename() and link() need of each side. */
struct side {
	struct changed *c;
	bool layered;
	struct layered l;	/* of a side without layers: where and mode */
};

static bool has_layers(const struct changed *c)
{
	return !c->f.native && c->f.layered && layers_apply(c->f.rule);
}

static long look_at(struct side *s, struct changed *c)
{
	struct file_status st;

	s->c = c;
	s->layered = !c->empty && has_layers(c);
	if (s->layered)
		return layers_find(&s->l, c->f.rule, c->f.location);
	s->l.white = false;
	s->l.where = LAYER_NONE;
	s->l.mode = 0;
	s->l.error = SYS(__NR_newfstatat, AT_FDCWD, c->f.real, &st,
			 AT_SYMLINK_NOFOLLOW);
	if (s->l.error == 0) {
		s->l.where = LAYER_OWN;
		s->l.mode = st.mode;
	}
	return 0;
}

/* Why there is nothing that could be moved or linked. */
static long missing(const struct side *s)
{
	if (s->l.where == LAYER_NONE)
		return s->l.error;
	return s->c->f.directory && !is_directory(s->l.mode) ? -ENOTDIR : 0;
}

static long raise(struct side *s)
{
	const struct found *f = &s->c->f;

	if (!s->layered)
		return 0;
	return is_directory(s->l.mode) ? layers_raise_all(f->rule, f->location)
				       : layers_raise(f->rule, f->location, true);
}

static long ask_both(struct record *r, struct side *a, struct side *b)
{
	long result;

	if ((a->layered && !set_real(&a->c->f, a->l.own)) ||
	    (b->layered && !set_real(&b->c->f, b->l.own)))
		return -ENAMETOOLONG;
	put_path(a->c);
	put_path(b->c);
	result = call_through(r);
	take_back(a->c);
	take_back(b->c);
	return result;
}

static bool is_same(const struct side *a, const struct side *b)
{
	struct file_status x, y;

	return SYS(__NR_newfstatat, AT_FDCWD, a->c->f.real, &x,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       SYS(__NR_newfstatat, AT_FDCWD, b->c->f.real, &y,
		   AT_SYMLINK_NOFOLLOW) == 0 &&
	       x.dev == y.dev && x.ino == y.ino;
}

static bool is_inside(const char *location, const char *directory)
{
	size_t n = strlen(directory);

	return strncmp(location, directory, n) == 0 && location[n] == '/';
}

/* What the kernel would say of @a that becomes @b; 1 = nothing is to be done. */
static long cannot_move(const struct side *a, const struct side *b,
			unsigned long flags)
{
	bool directory = is_directory(a->l.mode),
	     there = b->l.where != LAYER_NONE;

	if (a->l.where == LAYER_NONE)
		return a->l.error;
	if (flags & RENAME_WHITEOUT)
		return -EINVAL;
	if (there && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!there && flags & RENAME_EXCHANGE)
		return b->l.error;
	if (flags & RENAME_EXCHANGE && b->c->f.directory &&
	    !is_directory(b->l.mode))
		return -ENOTDIR;
	if (is_inside(b->c->f.location, a->c->f.location))
		return -EINVAL;
	if (!directory && (a->c->f.directory ||
			   (b->c->f.directory && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (there && is_same(a, b))
		return 1;
	if (flags & RENAME_EXCHANGE || !there)
		return 0;
	if (is_inside(a->c->f.location, b->c->f.location))
		return -ENOTEMPTY;
	if (directory != is_directory(b->l.mode))
		return directory ? -ENOTDIR : -EISDIR;
	if (directory && b->layered &&
	    !listing_is_empty(b->c->f.rule, b->c->f.location))
		return -ENOTEMPTY;
	return 0;
}

/* rename() of what then leaves a whiteout, in one step where the file system
 * knows that. */
static long move_off(struct record *r, struct side *a, struct side *b)
{
	long result = -EINVAL;

	if (a->l.own[0] && b->layered)
		result = SYS(__NR_renameat2, AT_FDCWD, a->l.own, AT_FDCWD,
			     b->l.own, RENAME_WHITEOUT);
	if (result != -EINVAL)
		return result;
	result = ask_both(r, a, b);
	if (result == 0)
		result = layers_whiten(a->c->f.rule, a->l.own, false, false);
	return result;
}

static long move(struct record *r, struct side *a, struct side *b,
		 unsigned long flags)
{
	bool directory = is_directory(a->l.mode), white = false, below;
	struct found *to = &b->c->f;
	long result = raise(a);

	if (result == 0 && flags & RENAME_EXCHANGE)
		result = raise(b);
	else if (result == 0 && b->layered)
		result = layers_raise_parent(to->rule, to->location);
	if (result < 0)
		return result;
	if (flags & RENAME_EXCHANGE)
		return ask_both(r, a, b);
	if (b->layered && directory && b->l.where == LAYER_OWN)
		layers_clear(b->l.own);
	white = b->layered && b->l.white &&
		(directory || flags & RENAME_NOREPLACE);
	if (white)
		SYS(__NR_unlinkat, AT_FDCWD, b->l.own, 0);
	below = a->layered && layers_below(a->c->f.rule, a->c->f.location);
	result = below ? move_off(r, a, b) : ask_both(r, a, b);
	if (result < 0 && white)
		layers_whiten(to->rule, b->l.own, false, false);
	return result;
}

/* What cannot succeed, and so may be asked where things are: the kernel knows
 * best how it fails. */
static long ask_to_fail(struct record *r, struct changed *a, struct changed *b)
{
	long result;

	put_path(a);
	put_path(b);
	result = call_through(r);
	take_back(a);
	take_back(b);
	return result;
}

/* What the kernel does by itself where the paths are real. */
static long ask_both_plainly(struct record *r, struct changed *a,
			     struct changed *b)
{
	long result = ask_to_fail(r, a, b);

	paths_changed();
	return result;
}

long layered_move(struct record *r, struct changed *a, struct changed *b)
{
	unsigned long flags = r->nr == __NR_renameat2 ? (unsigned int)r->r8 : 0;
	struct side one, two;
	long lock, result;

	if (a->empty || b->empty || a->f.dots || b->f.dots)
		return ask_to_fail(r, a, b);
	result = merged_pair(a, b, true, flags);
	if (result < 0)
		return result;
	if (!has_layers(a) && !has_layers(b))
		return ask_both_plainly(r, a, b);
	lock = layers_lock();
	if (lock < 0)
		return lock;
	result = look_at(&one, a);
	if (result == 0)
		result = look_at(&two, b);
	if (result == 0)
		result = cannot_move(&one, &two, flags);
	if (result == 0)
		result = move(r, &one, &two, flags);
	layers_unlock(lock);
	paths_changed();
	return result == 1 ? 0 : result;
}

static long link_to(struct record *r, struct side *a, struct side *b)
{
	bool white = false;
	long result = missing(a);

	if (result < 0)
		return result;
	if (b->l.where != LAYER_NONE)
		return -EEXIST;
	if (is_directory(a->l.mode))
		return -EPERM;
	result = raise(a);
	if (result == 0 && b->layered)
		result = prepare_new(b->c, &b->l, &white);
	if (result == 0)
		result = ask_both(r, a, b);
	if (result < 0 && white)
		layers_whiten(b->c->f.rule, b->l.own, false, false);
	return result;
}

/* link(): an empty path is the descriptor, which is linked as it is. */
long layered_link(struct record *r, struct changed *a, struct changed *b)
{
	struct side one, two;
	long lock, result;

	if (b->empty || b->f.dots ||
	    (a->empty && !(r->nr == __NR_linkat && r->r8 & AT_EMPTY_PATH)))
		return ask_to_fail(r, a, b);
	result = merged_pair(a, b, false, 0);
	if (result < 0)
		return result;
	if (!has_layers(a) && !has_layers(b))
		return ask_both_plainly(r, a, b);
	lock = layers_lock();
	if (lock < 0)
		return lock;
	if (a->empty) {
		one.layered = false;
		one.c = a;
		one.l.where = LAYER_OWN;
		one.l.mode = 0;
		one.l.error = 0;
		a->f.directory = false;
		result = 0;
	} else {
		result = look_at(&one, a);
	}
	if (result == 0)
		result = look_at(&two, b);
	if (result == 0)
		result = link_to(r, &one, &two);
	layers_unlock(lock);
	paths_changed();
	return result;
}

static bool makes_file(unsigned long flags)
{
	return flags & O_CREAT && (flags & O_TMPFILE) != O_TMPFILE;
}

static long open_new(struct record *r, struct changed *c)
{
	long lock = layers_lock(), result;
	struct layered l;
	bool white;

	if (lock < 0)
		return lock;
	result = layers_find(&l, c->f.rule, c->f.location);
	if (result == 0 && l.where == LAYER_NONE && l.error == -ENOENT) {
		result = prepare_new(c, &l, &white);
		if (result == 0)
			result = set_real(&c->f, l.own) ? call_placed(r, c)
							: -ENAMETOOLONG;
		if (result < 0 && white)
			layers_whiten(c->f.rule, l.own, false, false);
	} else if (result == 0) {
		result = set_real(&c->f, l.real) ? call_placed(r, c) : -ENAMETOOLONG;
	}
	layers_unlock(lock);
	return result;
}

static long open_copy(struct record *r, struct changed *c, struct layered *l,
		      unsigned long flags)
{
	bool reads = (flags & 3) != O_WRONLY, anew = flags & O_TRUNC;
	long result, lock;

	result = may_write(l, is_directory(l->mode) || !reads ? W_OK
							      : R_OK | W_OK);
	if (result < 0)
		return result;
	lock = layers_lock();
	if (lock < 0)
		return lock;
	result = layers_raise(c->f.rule, c->f.location, !anew);
	layers_unlock(lock);
	if (result < 0)
		return result;
	return set_real(&c->f, l->own) ? call_placed(r, c) : -ENAMETOOLONG;
}

long layered_open(struct record *r, struct changed *c, unsigned long flags)
{
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE,
	     writes = (flags & 3) != O_RDONLY || flags & O_TRUNC || unnamed;
	struct layered l;
	long result;

	if (flags & O_PATH || !(writes || flags & O_CREAT) || c->f.dots)
		return call_placed(r, c);
	if (layers_merged(c->f.rule))
		return merged_open(r, c, flags);
	if (!layers_apply(c->f.rule))
		return ask_host(r, c);
	result = layers_find(&l, c->f.rule, c->f.location);
	if (result < 0)
		return result;
	if (l.where == LAYER_NONE && l.error == -ENOENT && makes_file(flags) &&
	    !c->f.directory)
		return open_new(r, c);
	/* Links, pipes and devices are written through; the rest is for the
	 * kernel to refuse. */
	if (l.where == LAYER_NONE || l.where == LAYER_OWN || !writes ||
	    (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ||
	    is_name(c, &l) ||
	    !(unnamed ? is_directory(l.mode)
		      : (l.mode & S_IFMT) == S_IFREG && !(flags & O_DIRECTORY)))
		return call_placed(r, c);
	return open_copy(r, c, &l, flags);
}

/*
 * What changes a file by its descriptor would change the package's where it was
 * opened before it was copied.
 */
static long call_by_descriptor(struct record *r, long fd, unsigned int nr,
			       call_fn *otherwise)
{
	char location[PATH_SIZE];
	struct file_status open = { 0 }, seen = { 0 };
	struct layered l;
	uint32_t rule;
	long lock, result;

	if ((long)SYS(__NR_fcntl, fd, F_GETFL) & O_PATH ||
	    !path_of_descriptor(fd, location))
		return otherwise(r);
	rule = rule_for(rules_now(), location, strlen(location));
	if (rule != NO_RULE &&
	    rule_get(rules_now(), rule).mode == RULE_READ_ONLY)
		return -EROFS;
	if (!(layers_apply(rule) || layers_merged(rule)) ||
	    layers_find(&l, rule, location) < 0 ||
	    l.where == LAYER_NONE || SYS(__NR_fstat, fd, &open) < 0 ||
	    SYS(__NR_newfstatat, AT_FDCWD, l.own, &seen, AT_SYMLINK_NOFOLLOW) ==
		    0 ? open.dev == seen.dev && open.ino == seen.ino : false)
		return otherwise(r);
	if (layers_merged(rule)) {
		if (!layers_on_host(rule, location, &seen))
			return -EROFS;
	} else if (l.where != LAYER_OWN) {
		result = may_change(r, &l);
		lock = result < 0 ? result : layers_lock();
		if (lock < 0)
			return lock;
		result = layers_raise(rule, location, true);
		layers_unlock(lock);
		if (result < 0)
			return result;
	}
	switch (nr) {
	case __NR_fchmod:
		return SYS(__NR_fchmodat, AT_FDCWD, l.own, r->rsi);
	case __NR_fchown:
		return SYS(__NR_fchownat, AT_FDCWD, l.own, r->rsi, r->rdx,
			   AT_SYMLINK_NOFOLLOW);
	case __NR_fsetxattr:
		return SYS(__NR_lsetxattr, l.own, r->rsi, r->rdx, r->r10, r->r8);
	case __NR_fremovexattr:
		return SYS(__NR_lremovexattr, l.own, r->rsi);
	default:
		return SYS(__NR_utimensat, AT_FDCWD, l.own, r->rdx,
			   AT_SYMLINK_NOFOLLOW);
	}
}

static call_fn *utimensat_by_path;

static long call_plain(struct record *r)
{
	return call_by_descriptor(r, (int)r->rdi, (unsigned int)r->nr,
				  call_through);
}

static long call_utimensat(struct record *r)
{
	if (r->rsi || (int)r->rdi == AT_FDCWD)
		return utimensat_by_path(r);
	return call_by_descriptor(r, (int)r->rdi, __NR_utimensat,
				  utimensat_by_path);
}

void layered_add(void)
{
	if (!files.on)
		return;
	utimensat_by_path = dispatch_get(__NR_utimensat);
	dispatch_add(__NR_utimensat, call_utimensat);
	dispatch_add(__NR_fchmod, call_plain);
	dispatch_add(__NR_fchown, call_plain);
	dispatch_add(__NR_fsetxattr, call_plain);
	dispatch_add(__NR_fremovexattr, call_plain);
}
