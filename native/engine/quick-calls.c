// SPDX-License-Identifier: Apache-2.0
/*
 * Element: files, the short way: the calls. They are not made from here: the gate
 * makes them when the hook has returned (gate_tail_syscall), and then asks a
 * function what to do with the result. Each return that is pending while the
 * kernel works is mispredicted behind it, as the kernel's own returns have taken
 * over the processor's stack of them.
 *
 * Whatever is unusual goes the long way, from its beginning: no answer is given
 * here that files.c would not give.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "paths.h"
#include "places.h"
#include "quick.h"
#include "sys.h"
#include "text.h"
#include "users.h"
#include "walk.h"

#define STATX_TYPE 1
#define STATX_MODE 28	/* offset of struct statx */
#define STAT_MODE offsetof(struct file_status, mode)

static struct before before;

static long the_long_way(struct record *r)
{
	return call_before(&before, r);
}

static long as_it_is(struct record *r, long result)
{
	(void)r;
	return result;
}

/*
 * A link on the way may lead to where a rule is, where the kernel finds nothing.
 * Not where the directory is none, nor its last name, or that is not followed.
 */
static long when_missing(struct record *r, long result, bool follow)
{
	struct quick_given g;
	struct found f;

	if (result != -ENOENT || !files.on)
		return result;
	g = quick_given(&thread_self()->quick);
	if (g.parent > 1 && walk_is_missing(g.path, g.parent - 1, follow))
		return result;
	path_exact(&f, AT_FDCWD, g.path, follow ? LAST_FOLLOW : LAST_KEEP);
	return f.native ? result : the_long_way(r);
}

static long after_follow(struct record *r, long result)
{
	return when_missing(r, result, true);
}

static long after_keep(struct record *r, long result)
{
	return when_missing(r, result, false);
}

/* A link: it was looked at as one, into where the program wants it. */
static long after_stat(struct record *r, long result)
{
	return result < 0 ? result : the_long_way(r);
}

/* All that can be asked of a descriptor alone: fstat(), as C libraries make it. */
static bool only_descriptor(const struct record *r, unsigned long flags)
{
	char first;

	return flags & AT_EMPTY_PATH &&
	       copy_bytes(&first, (const void *)r->rsi, 1) == 0 && !first;
}

static inline unsigned long real_path(void)
{
	return (unsigned long)thread_self()->quick.real;
}

/* As the program asked it. */
static long as_asked(struct record *r, after_fn *after)
{
	r->after = after;
	return 0;
}

/* Where the last name may be a link is looked at it, and not at what it leads to;
 * the mode, which tells, will be at @mode. */
static inline long stat_real(struct record *r, bool follow, unsigned long mode)
{
	r->later.a = (unsigned long)(long)AT_FDCWD;
	r->later.b = real_path();
	if (HARDLY(!follow))
		return as_asked(r, as_it_is);
	r->mode = (const void *)mode;
	return as_asked(r, after_stat);
}

HOT static long quick_stat(struct record *r)
{
	const struct quick_parent *p = quick_parent_of(r->rdi);
	bool follow = r->nr == __NR_stat;

	if (!p)
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return as_asked(r, follow ? after_follow : after_keep);
	r->later.nr = __NR_newfstatat;
	r->later.c = r->rsi;
	r->later.d = AT_SYMLINK_NOFOLLOW;
	return stat_real(r, follow, r->rsi + STAT_MODE);
}

HOT static long quick_newfstatat(struct record *r)
{
	const struct quick_parent *p;
	bool follow = !(r->r10 & AT_SYMLINK_NOFOLLOW);

	if (only_descriptor(r, r->r10))
		return as_asked(r, as_it_is);
	p = HARDLY(r->r10 & AT_EMPTY_PATH) ? NULL : quick_parent_of(r->rsi);
	if (HARDLY(!p))
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return as_asked(r, follow ? after_follow : after_keep);
	r->later.d |= AT_SYMLINK_NOFOLLOW;
	return stat_real(r, follow, r->rdx + STAT_MODE);
}

HOT static long quick_statx(struct record *r)
{
	const struct quick_parent *p;
	bool follow = !(r->rdx & AT_SYMLINK_NOFOLLOW);

	if (only_descriptor(r, r->rdx))
		return as_asked(r, as_it_is);
	/* Without its mode nothing would tell a link. */
	p = HARDLY(r->rdx & AT_EMPTY_PATH || !(r->r10 & STATX_TYPE)) ?
	    NULL : quick_parent_of(r->rsi);
	if (HARDLY(!p))
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return as_asked(r, follow ? after_follow : after_keep);
	r->later.c |= AT_SYMLINK_NOFOLLOW;
	return stat_real(r, follow, r->r8 + STATX_MODE);
}

HOT static long quick_access(struct record *r)
{
	bool at = r->nr == __NR_faccessat;
	const struct quick_parent *p =
		quick_parent_of(at ? r->rsi : r->rdi);

	/* Elsewhere the last name may be a link. */
	if (!p || p->way == QUICK_REAL_PLACE)
		return the_long_way(r);
	return as_asked(r, after_follow);
}

static long quick_readlink(struct record *r)
{
	bool at = r->nr == __NR_readlinkat;
	const struct quick_parent *p = quick_parent_of(at ? r->rsi : r->rdi);

	if (!p)
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return as_asked(r, after_keep);
	r->later = (struct later){ __NR_readlinkat, (unsigned long)(long)AT_FDCWD,
				   real_path(),
				   at ? r->rdx : r->rsi, at ? r->r10 : r->rdx, 0 };
	return as_asked(r, as_it_is);
}

static long after_open(struct record *r, long result)
{
	result = when_missing(r, result, true);
	places_opened(result, NO_RULE);
	return result;
}

static long after_open_real(struct record *r, long result)
{
	struct quick_given g;

	/* A link, what is no directory, or was removed since: the long way knows. */
	if (result == -ELOOP || result == -ENOTDIR || result == -ENXIO)
		return the_long_way(r);
	if (places_kept()) {
		g = quick_given(&thread_self()->quick);
		places_opened(result, rule_for(rules_now(), g.path, g.n));
	}
	return result;
}

/* Names of files that kernel-views.c or hardware.c may have an answer for. */
static bool is_told(const char *name)
{
	static const char *const told[] = { "version", "address", "hostname",
					    "osrelease", "domainname" };

	for (unsigned int i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (strcmp(name, told[i]) == 0)
			return true;
	return false;
}

/* Where it is to be noted what was opened, that is asked each time. */
static long open_later(struct record *r, after_fn *after)
{
	static const uint16_t always = S_IFLNK;

	if (HARDLY(places_kept()))
		r->mode = &always;
	return as_asked(r, after);
}

/* Where a rule leads, none of those is: quick.c knows. */
COLD static long open_native(struct record *r)
{
	const struct quick *q = &thread_self()->quick;

	if (q->n >= 7 && q->n <= 10 && is_told((const char *)q + q->last->name))
		return the_long_way(r);
	return open_later(r, after_open);
}

/* Only to read; O_NOFOLLOW is asked for by us. */
#define NOT_QUICK (3 | O_CREAT | O_TRUNC | O_PATH | O_NOFOLLOW)

HOT static long quick_openat(struct record *r)
{
	const struct quick_parent *p;

	p = HARDLY(r->rdx & NOT_QUICK) ? NULL : quick_parent_of(r->rsi);
	if (HARDLY(!p))
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return open_native(r);
	r->later.a = (unsigned long)(long)AT_FDCWD;
	r->later.b = real_path();
	r->later.c |= O_NOFOLLOW;
	return open_later(r, after_open_real);
}

HOT static long quick_open(struct record *r)
{
	const struct quick_parent *p;

	p = HARDLY(r->rsi & NOT_QUICK) ? NULL : quick_parent_of(r->rdi);
	if (HARDLY(!p))
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		return open_native(r);
	r->later.a = real_path();
	r->later.b |= O_NOFOLLOW;
	return open_later(r, after_open_real);
}

void quick_add(void)
{
	if (engine.log)	/* each path is told there */
		return;
	/* Whose files these are is said by that element, behind the call. */
	if (!users_on()) {
		dispatch_over(&before, __NR_stat, quick_stat);
		dispatch_over(&before, __NR_lstat, quick_stat);
		dispatch_over(&before, __NR_newfstatat, quick_newfstatat);
		dispatch_over(&before, __NR_statx, quick_statx);
		dispatch_over(&before, __NR_open, quick_open);
		dispatch_over(&before, __NR_openat, quick_openat);
	}
	dispatch_over(&before, __NR_access, quick_access);
	dispatch_over(&before, __NR_faccessat, quick_access);
	dispatch_over(&before, __NR_readlink, quick_readlink);
	dispatch_over(&before, __NR_readlinkat, quick_readlink);
}
