// SPDX-License-Identifier: Apache-2.0
/*
 * Mode merged of a folder: the package's files over the host's, and what is
 * written goes to the host. There is no layer in between, so nothing can stand
 * for what the package has: who would remove, move or change what the host
 * does not have gets EROFS.
 *
 * Directories that only the package has are made on the host where a new name
 * needs them. No link of the host is followed in their place: it would lead
 * out of what was allowed.
 */
#include "gate.h"
#include "layers.h"
#include "listing.h"
#include "merged.h"
#include "text.h"

#define RENAME_NOREPLACE 1

static bool is_directory(unsigned int mode)
{
	return (mode & S_IFMT) == S_IFDIR;
}

/* The call is for the host's. */
static long at_host(struct found *f)
{
	return text_copy(f->real, PATH_SIZE, f->location) &&
	       (!f->directory ||
		text_join(f->real, sizeof(f->real), f->real, "/"))
		       ? 0 : -ENAMETOOLONG;
}

static long ask_host(struct record *r, struct changed *c)
{
	long result = at_host(&c->f);

	return result < 0 ? result : call_placed(r, c);
}

/* One directory above what is made, at @way: the host's own, or made as the
 * package has it. */
static long make_directory(uint32_t rule, const char *way)
{
	struct file_status st;
	struct layered l;
	long result;

	if (layers_on_host(rule, way, &st))
		return is_directory(st.mode) ? 0 : -ENOTDIR;
	result = layers_find(&l, rule, way);
	if (result < 0)
		return result;
	if (l.where != LAYER_PACKAGE)
		return l.where == LAYER_NONE ? l.error : -ENOENT;
	if (!is_directory(l.mode))
		return -ENOTDIR;
	/* The host has something else there, such as a link. */
	result = SYS(__NR_mkdirat, AT_FDCWD, way, l.mode & 0777);
	if (result < 0)
		return result == -EEXIST ? -ENOTDIR : result;
	SYS(__NR_fchownat, AT_FDCWD, way, l.uid, l.gid, AT_SYMLINK_NOFOLLOW);
	SYS(__NR_fchmodat, AT_FDCWD, way, l.mode & 01777);
	return 0;
}

/* The directories above @location. */
static long make_way(uint32_t rule, const char *location)
{
	struct rule r = rule_get(rules_now(), rule);
	char way[PATH_SIZE];
	long result = 0;

	text_copy(way, PATH_SIZE, location);
	for (size_t at = r.from_length; result == 0 && way[at]; at++) {
		if (way[at] != '/')
			continue;
		way[at] = 0;
		result = make_directory(rule, way);
		way[at] = '/';
	}
	return result;
}

/* Whether the host has what is seen at @c, so that it can be changed there. */
static bool on_host(const struct changed *c, const struct layered *l)
{
	struct file_status st;

	return layers_on_host(c->f.rule, c->f.location, &st) &&
	       (st.mode & S_IFMT) == (l->mode & S_IFMT);
}

static long make(struct record *r, struct changed *c)
{
	long result = make_way(c->f.rule, c->f.location);

	return result < 0 ? result : ask_host(r, c);
}

long merged_change(struct record *r, enum use use, struct changed *c)
{
	struct layered l;
	long result = layers_find(&l, c->f.rule, c->f.location);

	if (result < 0)
		return result;
	if (l.where == LAYER_NONE)
		return use == USE_MAKE && l.error == -ENOENT ? make(r, c)
							     : call_placed(r, c);
	/* What is wrong with the path the kernel says itself. */
	if (use == USE_MAKE || (c->f.directory && !is_directory(l.mode)))
		return call_placed(r, c);
	if (use == USE_REMOVE ? l.where == LAYER_PACKAGE : !on_host(c, &l))
		return -EROFS;
	return ask_host(r, c);
}

long merged_open(struct record *r, struct changed *c, unsigned long flags)
{
	bool unnamed = (flags & O_TMPFILE) == O_TMPFILE,
	     writes = (flags & 3) != O_RDONLY || flags & O_TRUNC || unnamed;
	struct layered l;
	long result = layers_find(&l, c->f.rule, c->f.location);

	if (result < 0)
		return result;
	if (l.where == LAYER_NONE)
		return flags & O_CREAT && !unnamed && l.error == -ENOENT
			       ? make(r, c) : call_placed(r, c);
	/* Links, pipes and devices are written through; the rest is for the
	 * kernel to refuse. */
	if (!writes || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL) ||
	    (c->f.directory && !is_directory(l.mode)) ||
	    !(unnamed ? is_directory(l.mode)
		      : (l.mode & S_IFMT) == S_IFREG && !(flags & O_DIRECTORY)))
		return call_placed(r, c);
	return on_host(c, &l) ? ask_host(r, c) : -EROFS;
}

bool merged_writable(const struct found *f)
{
	struct file_status st;
	struct layered l;

	if (layers_on_host(f->rule, f->location, &st))
		return true;
	/* New names are made in a directory, and devices written through. */
	return layers_find(&l, f->rule, f->location) == 0 &&
	       (l.mode & S_IFMT) != S_IFREG;
}

static bool is_merged(const struct changed *c)
{
	return !c->empty && !c->f.native && !c->f.dots &&
	       layers_merged(c->f.rule);
}

/* The package's own name cannot be moved, and what it has not be linked to. */
static long place_source(struct changed *c, bool moves)
{
	struct layered l;
	long result = layers_find(&l, c->f.rule, c->f.location);

	if (result < 0)
		return result;
	if (l.where == LAYER_NONE)
		return l.error;
	if (l.where == LAYER_PACKAGE)
		return moves ? -EROFS : is_directory(l.mode) ? -EPERM : -EXDEV;
	return at_host(&c->f);
}

static long place_target(struct changed *c, bool moves, unsigned long flags)
{
	struct layered l;
	long result = layers_find(&l, c->f.rule, c->f.location);

	if (result < 0)
		return result;
	if (l.where != LAYER_NONE && (!moves || flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (l.where == LAYER_PACKAGE && !on_host(c, &l))
		return -EROFS;
	/* The kernel sees only the host's part of it. */
	if (l.where == LAYER_PACKAGE && is_directory(l.mode))
		return listing_is_empty(c->f.rule, c->f.location) ? -EROFS
								  : -ENOTEMPTY;
	if (l.where == LAYER_NONE) {
		if (l.error != -ENOENT)
			return l.error;
		result = make_way(c->f.rule, c->f.location);
	}
	return result < 0 ? result : at_host(&c->f);
}

long merged_pair(struct changed *a, struct changed *b, bool moves,
		 unsigned long flags)
{
	long result = is_merged(a) ? place_source(a, moves) : 0;

	if (result == 0 && is_merged(b))
		result = place_target(b, moves, flags);
	return result;
}
