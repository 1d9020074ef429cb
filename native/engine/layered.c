// SPDX-License-Identifier: Apache-2.0
/*
 * Calls at paths of several layers (fs/overlayfs/dir.c, inode.c): what is only
 * read is asked for where it is; what is changed is copied into the own layer
 * first, and what is removed leaves a whiteout where a layer below has it.
 *
 * A file that is merged with the host's is written there, without a copy; of
 * such a folder merged.c is.
 */
#include "access.h"
#include "gate.h"
#include "layered.h"
#include "listing.h"
#include "merged.h"
#include "text.h"

#define W_OK 2
#define S_IFCHR 0020000

bool found_set_real(struct found *f, const char *real)
{
	return text_copy(f->real, PATH_SIZE, real) &&
	       (!f->directory || text_join(f->real, sizeof(f->real), f->real,
					   "/"));
}

long layered_ask_host(struct record *r, struct changed *c)
{
	return found_set_real(&c->f, c->f.location) ? call_placed(r, c) : -ENAMETOOLONG;
}

long layered_call_seen(struct record *r, struct changed *c,
		       const struct layered *l)
{
	return found_set_real(&c->f, l->real) ? call_placed(r, c)
					      : -ENAMETOOLONG;
}

/* By now something else may lie there, or nothing: a device alone says such a thing
 * of itself. */
bool layered_removed(struct changed *c, long result)
{
	struct file_status st;
	struct layered l;

	if ((result != -ENXIO && result != -EINVAL && result != -EPERM) ||
	    !layers_apply(c->f.rule))
		return false;
	if (layers_look(c->f.real, &st) == 0 && (st.mode & S_IFMT) != S_IFREG &&
	    !mode_is_directory(st.mode) &&
	    ((st.mode & S_IFMT) != S_IFCHR || st.rdev != 0))
		return false;
	return layers_find(&l, c->f.rule, c->f.location) == 0 &&
	       found_set_real(&c->f, l.real);
}

bool layered_is_name(const struct changed *c, const struct layered *l)
{
	return l->where != LAYER_NONE && c->f.directory &&
	       !mode_is_directory(l->mode);
}

long layered_may_write(const struct layered *l, int mode)
{
	long result = access_effective(l->real, mode);

	return result == -EACCES || result == -EPERM ? -EACCES : 0;
}

/* Who is not the owner could change a copy, since it is his. */
long layered_may_change(const struct record *r, const struct layered *l)
{
	uint32_t user = (uint32_t)SYS(__NR_geteuid);

	switch (r->nr) {
	case __NR_truncate:
	case __NR_setxattr:
	case __NR_removexattr:
	case 463:	/* setxattrat */
	case 466:	/* removexattrat */
	case __NR_utime:
	case __NR_utimes:
	case __NR_utimensat:
	case __NR_futimesat:
		return user && user != l->uid ? layered_may_write(l, W_OK) : 0;
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
	if (l.where == LAYER_NONE || l.where == LAYER_OWN || layered_is_name(c, &l) ||
	    (r->nr == __NR_truncate && mode_is_directory(l.mode)))
		return layered_call_seen(r, c, &l);
	result = layered_may_change(r, &l);
	if (result < 0)
		return result;
	lock = layers_lock();
	if (lock < 0)
		return lock;
	result = layers_raise(c->f.rule, c->f.location, true);
	layers_unlock(lock);
	if (result < 0)
		return result;
	return found_set_real(&c->f, l.own) ? call_placed(r, c) : -ENAMETOOLONG;
}

long layered_prepare_new(const struct changed *c, struct layered *l, bool *white)
{
	long result = layers_raise_parent(c->f.rule, c->f.location);

	*white = result == 0 && l->white;
	if (*white)
		result = SYS(__NR_unlinkat, AT_FDCWD, l->own, 0);
	if (result < 0)
		*white = false;
	return result;
}

/* What stands for a name that is gone nobody may make (ovl_mknod()). */
static bool makes_whiteout(const struct record *r)
{
	unsigned long mode = r->nr == __NR_mknod ? r->rsi : r->rdx,
		      device = r->nr == __NR_mknod ? r->rdx : r->r10;

	return (r->nr == __NR_mknod || r->nr == __NR_mknodat) &&
	       (mode & S_IFMT) == S_IFCHR && (unsigned int)device == 0;
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
		result = layered_call_seen(r, c, &l);
	} else if (result == 0 && makes_whiteout(r)) {
		result = layers_parent(c->f.rule, c->f.location, false);
		if (result == 0)
			result = -EPERM;
	} else if (result == 0) {
		result = layered_prepare_new(c, &l, &white);
		if (result == 0)
			result = found_set_real(&c->f, l.own) ? call_placed(r, c)
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
	bool directory = mode_is_directory(l->mode), own = l->where == LAYER_OWN,
	     below = layers_below(c->f.rule, c->f.location);
	bool as_directory = r->nr == __NR_rmdir ||
			    (r->nr == __NR_unlinkat && r->rdx & AT_REMOVEDIR);
	long result;

	if (directory != as_directory || layered_is_name(c, l))
		return directory ? -EISDIR : -ENOTDIR;
	if (directory && !listing_is_empty(c->f.rule, c->f.location))
		return -ENOTEMPTY;
	if (own && !below) {
		if (directory)
			layers_clear(l->own);
		return layered_call_seen(r, c, l);
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
		result = l.where == LAYER_NONE ? layered_call_seen(r, c, &l)
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
		return layered_ask_host(r, c);
	if (use == USE_CHANGE) {
		long result = change(r, c);

		for (int i = 0; i < TRIES && layered_removed(c, result); i++)
			result = change(r, c);
		return result;
	}
	return use == USE_MAKE ? make(r, c) : take_away(r, c);
}
