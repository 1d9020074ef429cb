// SPDX-License-Identifier: Apache-2.0
/* open() and its like. */
#include "engine.h"
#include "files-call.h"
#include "files.h"
#include "gate.h"
#include "places.h"
#include "sys.h"
#include "text.h"

#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_making(unsigned long flags)
{
	return (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
}

/* What a place that is only read, or hidden, says to open(). */
static long open_forbidden(const struct found *f, unsigned long flags)
{
	bool keeps = flags & O_NOFOLLOW || is_making(flags),
	     unnamed = (flags & O_TMPFILE) == O_TMPFILE,
	     writes = (flags & 3) != O_RDONLY || flags & O_TRUNC || unnamed;
	unsigned int there;

	if (found_mode(f) == RULE_HIDE)
		return flags & O_CREAT && f->border ? -EROFS : -ENOENT;
	if (found_mode(f) != RULE_READ_ONLY || flags & O_PATH ||
	    !(writes || flags & O_CREAT))
		return 0;
	there = mode_there(f, !keeps);
	if (!there && flags & O_CREAT)
		return parent_missing(f) < 0 ? parent_missing(f) : -EROFS;
	if (there && is_making(flags))
		return -EEXIST;
	/* Only in a directory a file without a name can be, and only a file is
	 * written where it lies: a link, and what is nothing to write wherever it
	 * is, the kernel refuses as such. */
	if (unnamed ? !mode_is_directory(there)
		    : (there & S_IFMT) != S_IFREG || flags & O_DIRECTORY)
		return 0;
	return writes ? -EROFS : 0;
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

/* A file that is to be made, and to be a directory: refused since Linux 6.4, before
 * any path is looked at. Whether by this kernel, it says of a path where nothing can
 * be made. */
static bool contradicts(unsigned long flags)
{
	const unsigned long both = O_CREAT | O_DIRECTORY;

	return (flags & both) == both &&
	       SYS(__NR_openat, AT_FDCWD, "/", both, 0) == -EINVAL;
}

/* As above for open(): where it only reads, a link is refused first. */
static long open_placed(struct record *r, const struct path_argument *a,
			unsigned long *flags, struct changed *c)
{
	/* Of O_PATH nothing is made, whatever else is asked. */
	unsigned long was = *flags & O_PATH ? *flags & PATH_FLAGS : *flags;
	bool keeps = was & O_NOFOLLOW || is_making(was),
	     reads = (was & (3 | O_CREAT | O_TRUNC | O_PATH)) == O_RDONLY;
	enum path_last last = is_making(was) ? LAST_NAME :
			      keeps ? LAST_KEEP :
			      was & O_CREAT ? LAST_FILE : LAST_FOLLOW;
	long result = take_path(r, a, c, !keeps && reads ? LAST_LATER : last);

	if (contradicts(was))
		return -EINVAL;
	if (result == 0 && files.on && c->f.native && !c->empty && !reads &&
	    !keeps)
		take_descriptor(c);
	if (result == 0 && files.on && c->f.native && reads && !c->empty &&
	    maps_asked(c->given))
		return maps_open(c->given, was);
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
	} else if (!keeps && reads) {
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

long call_open(struct record *r)
{
	static const struct path_argument a = PLAIN(0);

	return open_at(r, &a, &r->rsi);
}

long call_creat(struct record *r)
{
	static const struct path_argument a = PLAIN(0);
	unsigned long flags = O_CREAT | O_WRONLY | O_TRUNC;

	return open_at(r, &a, &flags);
}

long call_openat(struct record *r)
{
	static const struct path_argument a = AT(0, 1, LAST_FOLLOW, NONE);

	return open_at(r, &a, &r->rdx);
}

/* openat2() could forbid the very links that lead to the package. */
long call_openat2(struct record *r)
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
