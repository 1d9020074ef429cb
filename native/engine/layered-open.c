// SPDX-License-Identifier: Apache-2.0
/*
 * open() at paths of several layers (fs/overlayfs/file.c, copy_up.c): to read, it
 * is opened where it is; to write, it is copied first.
 */
#include "gate.h"
#include "layered.h"
#include "merged.h"

#define R_OK 4
#define W_OK 2

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
		result = layered_prepare_new(c, &l, &white);
		if (result == 0)
			result = found_set_real(&c->f, l.own) ? call_placed(r, c)
							: -ENAMETOOLONG;
		if (result < 0 && white)
			layers_whiten(c->f.rule, l.own, false, false);
	} else if (result == 0) {
		result = layered_call_seen(r, c, &l);
	}
	layers_unlock(lock);
	return result;
}

static long open_copy(struct record *r, struct changed *c, struct layered *l,
		      unsigned long flags)
{
	bool reads = (flags & 3) != O_WRONLY, anew = flags & O_TRUNC;
	long result, lock;

	result = layered_may_write(l, mode_is_directory(l->mode) || !reads ? W_OK
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
	return found_set_real(&c->f, l->own) ? call_placed(r, c) : -ENAMETOOLONG;
}

static long open_once(struct record *r, struct changed *c, unsigned long flags)
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
		return layered_ask_host(r, c);
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
	    layered_is_name(c, &l) ||
	    !(unnamed ? mode_is_directory(l.mode)
		      : (l.mode & S_IFMT) == S_IFREG && !(flags & O_DIRECTORY)))
		return layered_call_seen(r, c, &l);
	return open_copy(r, c, &l, flags);
}

long layered_open(struct record *r, struct changed *c, unsigned long flags)
{
	long result = open_once(r, c, flags);

	/* What the kernel says of a whiteout. */
	for (int i = 0; i < TRIES && layered_removed(c, result); i++)
		result = open_once(r, c, flags);
	return result;
}
