// SPDX-License-Identifier: Apache-2.0
/*
 * inotify at directories of several layers. The kernel watches one of them, and of a
 * directory that only the package has it would tell nothing: what is made or written
 * in it goes to the instance's own layer. So that one is watched, and made where it
 * is not yet, empty as overlayfs has it; in a merged folder the host's. A file is
 * watched where it is: a copy for each that is looked at would be too much.
 */
#include "gate.h"
#include "layered.h"
#include "text.h"
#include "watches.h"

#define IN_DONT_FOLLOW 0x02000000

/* Where changes of the directory at @f appear; false where it is as it is. */
static bool find_changes(const struct found *f, struct layered *l)
{
	struct file_status st;
	long lock, result;

	if (layers_merged(f->rule))
		return text_copy(l->own, PATH_SIZE, f->location) &&
		       layers_on_host(f->rule, f->location, &st) &&
		       mode_is_directory(st.mode);
	if (!layers_apply(f->rule) ||
	    layers_find(l, f->rule, f->location) < 0 || l->where == LAYER_NONE ||
	    l->where == LAYER_OWN || !mode_is_directory(l->mode))
		return false;
	lock = layers_lock();
	if (lock < 0)
		return false;
	result = layers_raise(f->rule, f->location, false);
	layers_unlock(lock);
	return result == 0;
}

static long watch(struct record *r, struct changed *c)
{
	struct layered l;

	c->through = NULL;
	if (!c->f.native && c->f.layered && find_changes(&c->f, &l) &&
	    !found_set_real(&c->f, l.own))
		return -ENAMETOOLONG;
	return call_placed(r, c);
}

long call_inotify_add_watch(struct record *r)
{
	static const struct path_argument a = PLAIN(1);
	struct changed c;
	long result = take_path(r, &a, &c, r->rdx & IN_DONT_FOLLOW ?
					   LAST_KEEP : LAST_FOLLOW);

	if (result < 0)
		return result;
	c.through = watch;
	return files_placed(r, USE_READ, &c);
}
