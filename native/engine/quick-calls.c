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

/* What the gate is to do, and what is asked where it fails. */
static void call_later(struct record *r, unsigned long nr, unsigned long a,
		       unsigned long b, unsigned long c, unsigned long d,
		       after_fn *after)
{
	r->later = (struct later){ nr, a, b, c, d, r->r8 };
	r->after = after;
	r->mode = NULL;
}

/* As the program asked it. */
HOT static void as_asked(struct record *r, after_fn *after)
{
	call_later(r, r->nr, r->rdi, r->rsi, r->rdx, r->r10, after);
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
	char first;

	if (result != -ENOENT || !files.on)
		return result;
	g = quick_given(&thread_self()->quick);
	if (g.parent > 1 && walk_is_plain(g.path, g.parent - 1) &&
	    (!follow || SYS(__NR_readlinkat, AT_FDCWD, g.path, &first, 1) <= 0))
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

/* @mode is where the mode will be. */
HOT static long stat_at(struct record *r, unsigned long path, unsigned long flags,
		    const struct later *real, unsigned long mode)
{
	struct quick *q = &thread_self()->quick;
	const struct quick_parent *p;
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW);

	p = flags & AT_EMPTY_PATH ? NULL : quick_parent_of(q, path);
	if (!p)
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE) {
		as_asked(r, follow ? after_follow : after_keep);
		return 0;
	}
	r->later = *real;
	r->later.a = (unsigned long)(long)AT_FDCWD;
	r->later.b = (unsigned long)q->real;
	r->after = follow ? after_stat : as_it_is;
	r->mode = follow ? (const void *)mode : NULL;
	return 0;
}

HOT static long quick_stat(struct record *r)
{
	const struct later real = { .nr = __NR_newfstatat, .c = r->rsi,
				    .d = AT_SYMLINK_NOFOLLOW };

	return stat_at(r, r->rdi, r->nr == __NR_lstat ? AT_SYMLINK_NOFOLLOW : 0,
		       &real, real.c + STAT_MODE);
}

HOT static long quick_newfstatat(struct record *r)
{
	const struct later real = { .nr = __NR_newfstatat, .c = r->rdx,
				    .d = r->r10 | AT_SYMLINK_NOFOLLOW };

	if (only_descriptor(r, r->r10)) {
		as_asked(r, as_it_is);
		return 0;
	}
	return stat_at(r, r->rsi, r->r10, &real, real.c + STAT_MODE);
}

HOT static long quick_statx(struct record *r)
{
	const struct later real = { .nr = __NR_statx,
				    .c = r->rdx | AT_SYMLINK_NOFOLLOW,
				    .d = r->r10, .e = r->r8 };

	if (only_descriptor(r, r->rdx)) {
		as_asked(r, as_it_is);
		return 0;
	}
	/* Without its mode nothing would tell a link. */
	return stat_at(r, r->rsi, r->rdx | (r->r10 & STATX_TYPE ? 0 :
						    AT_EMPTY_PATH),
		       &real, real.e + STATX_MODE);
}

HOT static long quick_access(struct record *r)
{
	bool at = r->nr == __NR_faccessat;
	const struct quick_parent *p =
		quick_parent_of(&thread_self()->quick, at ? r->rsi : r->rdi);

	/* Elsewhere the last name may be a link. */
	if (!p || p->way == QUICK_REAL_PLACE)
		return the_long_way(r);
	as_asked(r, after_follow);
	return 0;
}

static long quick_readlink(struct record *r)
{
	struct quick *q = &thread_self()->quick;
	bool at = r->nr == __NR_readlinkat;
	const struct quick_parent *p = quick_parent_of(q, at ? r->rsi : r->rdi);

	if (!p)
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		as_asked(r, after_keep);
	else
		call_later(r, __NR_readlinkat, (unsigned long)(long)AT_FDCWD,
			   (unsigned long)q->real, at ? r->rdx : r->rsi,
			   at ? r->r10 : r->rdx, as_it_is);
	return 0;
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

	/* A link, or what is no directory: the long way knows. */
	if (result == -ELOOP || result == -ENOTDIR)
		return the_long_way(r);
	if (places_kept()) {
		g = quick_given(&thread_self()->quick);
		places_opened(result, rule_for(rules_now(), g.path, g.n));
	}
	return result;
}

/* Both are asked each time where it is to be noted what was opened. */
static void ask_for_note(struct record *r)
{
	static const uint16_t always = S_IFLNK;

	r->mode = places_kept() ? &always : NULL;
}

/* Names of files that kernel-views.c or hardware.c may have an answer for. */
static bool is_told(const char *name, size_t n)
{
	static const char *const told[] = { "version", "address", "hostname",
					    "osrelease", "domainname" };

	if (n < 7 || n > 10)
		return false;
	for (unsigned int i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (strcmp(name, told[i]) == 0)
			return true;
	return false;
}

HOT static long open_at(struct record *r, unsigned long path, unsigned long flags,
		    unsigned long mode)
{
	struct quick *q = &thread_self()->quick;
	const struct quick_parent *p;

	/* Only to read; O_NOFOLLOW is asked for below. */
	p = flags & (3 | O_CREAT | O_TRUNC | O_PATH | O_NOFOLLOW) ?
	    NULL : quick_parent_of(q, path);
	if (!p || is_told(quick_name(q), q->n))
		return the_long_way(r);
	if (p->way != QUICK_REAL_PLACE)
		as_asked(r, after_open);
	else
		call_later(r, __NR_openat, (unsigned long)(long)AT_FDCWD,
			   (unsigned long)q->real, flags | O_NOFOLLOW,
			   mode, after_open_real);
	ask_for_note(r);
	return 0;
}

HOT static long quick_open(struct record *r)
{
	return open_at(r, r->rdi, r->rsi, r->rdx);
}

HOT static long quick_openat(struct record *r)
{
	return open_at(r, r->rsi, r->rdx, r->r10);
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
