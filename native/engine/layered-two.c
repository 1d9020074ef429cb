// SPDX-License-Identifier: Apache-2.0
/*
 * rename() and link() where at least one side has several layers (fs/overlayfs/
 * dir.c): each side is looked at, and copied into the own layer where it has to
 * be; what moved away leaves a whiteout.
 */
#include "gate.h"
#include "layered.h"
#include "listing.h"
#include "merged.h"
#include "text.h"

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4

/* What rename() and link() need of each side. */
struct side {
	struct changed *c;
	bool layered;
	struct layered l;	/* of a side without layers: where and mode */
	struct file_status st;	/* of what is there */
};

static bool has_layers(const struct changed *c)
{
	return !c->f.native && c->f.layered && layers_apply(c->f.rule);
}

static long look_at(struct side *s, struct changed *c)
{
	long result;

	s->c = c;
	s->layered = !c->empty && has_layers(c);
	if (s->layered) {
		result = layers_find(&s->l, c->f.rule, c->f.location);
		if (result == 0 && s->l.where != LAYER_NONE)
			result = layers_look(s->l.real, &s->st);
		return result;
	}
	s->l.white = false;
	s->l.where = LAYER_NONE;
	s->l.mode = 0;
	s->l.error = status_of_name(&c->f, &s->st);
	if (s->l.error == 0) {
		s->l.where = LAYER_OWN;
		s->l.mode = s->st.mode;
	}
	return 0;
}

/* Why there is nothing that could be moved or linked. */
static long missing(const struct side *s)
{
	if (s->l.where == LAYER_NONE)
		return s->l.error;
	return s->c->f.directory && !mode_is_directory(s->l.mode) ? -ENOTDIR : 0;
}

static long raise(struct side *s)
{
	const struct found *f = &s->c->f;

	if (!s->layered)
		return 0;
	return mode_is_directory(s->l.mode) ? layers_raise_all(f->rule, f->location)
				       : layers_raise(f->rule, f->location, true);
}

static long ask_both(struct record *r, struct side *a, struct side *b)
{
	long result;

	if ((a->layered && !found_set_real(&a->c->f, a->l.own)) ||
	    (b->layered && !found_set_real(&b->c->f, b->l.own)))
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
	return a->st.dev == b->st.dev && a->st.ino == b->st.ino;
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
	bool directory = mode_is_directory(a->l.mode),
	     there = b->l.where != LAYER_NONE;

	if (a->l.where == LAYER_NONE)
		return a->l.error;
	if (there && flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (!there && flags & RENAME_EXCHANGE)
		return b->l.error;
	if (flags & RENAME_EXCHANGE && b->c->f.directory &&
	    !mode_is_directory(b->l.mode))
		return -ENOTDIR;
	if (is_inside(b->c->f.location, a->c->f.location))
		return -EINVAL;
	if (!directory && (a->c->f.directory ||
			   (b->c->f.directory && !(flags & RENAME_EXCHANGE))))
		return -ENOTDIR;
	if (there && is_same(a, b))
		return 1;
	if (flags & RENAME_EXCHANGE || !there)
		return flags & RENAME_WHITEOUT ? -EINVAL : 0;
	if (is_inside(a->c->f.location, b->c->f.location))
		return -ENOTEMPTY;
	if (directory != mode_is_directory(b->l.mode))
		return directory ? -ENOTDIR : -EISDIR;
	if (flags & RENAME_WHITEOUT)
		return -EINVAL;
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
	bool directory = mode_is_directory(a->l.mode), white = false, below;
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
	if (mode_is_directory(a->l.mode))
		return -EPERM;
	result = raise(a);
	if (result == 0 && b->layered)
		result = layered_prepare_new(b->c, &b->l, &white);
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
