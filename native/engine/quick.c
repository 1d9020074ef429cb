// SPDX-License-Identifier: Apache-2.0
/*
 * Element: files, the short way. A path that begins at "/" and has nothing odd is
 * split at its last slash. What was found out about the directory (that no rule
 * is about what lies in it, or where it really is) is remembered by each thread
 * for some directories, as long as walk.c believes what it has seen. So such a
 * call is one comparison of a text, and the kernel's call.
 *
 * The call is not made from here: the gate makes it when the hook has returned
 * (gate_tail_syscall), and then asks a function what to do with the result. What
 * runs between a call and its return costs little, but each return that is
 * pending while the kernel works is mispredicted behind it, as its own returns
 * have taken over the processor's stack of them.
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
#include "root.h"
#include "sys.h"
#include "text.h"
#include "walk.h"

#define STATX_TYPE 1
#define STATX_MODE 28	/* offset of struct statx */

static struct before before;

static long the_long_way(struct record *r)
{
	return call_before(&before, r);
}

/* What the gate is to do, and what is asked with the result. */
static void call_later(struct record *r, unsigned long nr, unsigned long a,
		       unsigned long b, unsigned long c, unsigned long d,
		       after_fn *after)
{
	r->later = (struct later){ nr, a, b, c, d, r->r8 };
	r->after = after;
}

/* As the program asked it. */
static void as_asked(struct record *r, after_fn *after)
{
	call_later(r, r->nr, r->rdi, r->rsi, r->rdx, r->r10, after);
}

static long as_it_is(struct record *r, long result)
{
	(void)r;
	return result;
}

/* Below these other elements answer, or names lead where no text says. */
static bool is_special(const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 || strncmp(path, "/sys/", 5) == 0;
}

/* The rule for all that lies in the directory; false where there may be more
 * than one. */
static bool one_rule(const struct quick *q, uint32_t *rule)
{
	if (rule_below(rules_now(), q->given, q->parent - 1, 0) != NO_RULE)
		return false;
	*rule = rule_for(rules_now(), q->given, q->n);
	return true;
}

/* The directory's real place, with a slash behind it. */
static bool real_place(struct quick_parent *p, const struct quick *q,
		       const struct rule *r)
{
	size_t package = files.package_length,
	       n = package + r->to_length + q->parent - r->from_length;

	/* Of a single file nothing lies in a directory that is its own. */
	if ((r->mode != RULE_FULL && r->mode != RULE_READ_ONLY) || r->exact ||
	    r->to_length == 1 || r->from_length == 1 || n > QUICK_REAL ||
	    q->parent <= r->from_length)
		return false;
	memcpy(p->real, files.package, package);
	memcpy(p->real + package, r->to, r->to_length);
	memcpy(p->real + package + r->to_length, q->given + r->from_length,
	       q->parent - r->from_length);
	p->real_n = (unsigned char)n;
	return true;
}

static void place_parent(struct quick_parent *p, const struct quick *q)
{
	uint32_t rule;

	p->way = QUICK_NEVER;
	if (is_special(q->given) || !path_is_simple(q->given, q->n) ||
	    !one_rule(q, &rule))
		return;
	if (!rule_redirects(rule)) {
		if (!thread_self()->rules->host_has)
			p->way = QUICK_NATIVE;
		return;
	}
	struct rule r = rule_get(rules_now(), rule);

	if (real_place(p, q, &r))
		p->way = QUICK_REAL_PLACE;
}

static bool is_current(const struct quick_parent *p, const struct thread *t)
{
	return p->rules == t->rules && p->change == walk_changes() &&
	       (p->way != QUICK_REAL_PLACE || !walk_is_over(p->until));
}

static struct quick_parent *learn(struct thread *t, struct quick *q,
				  struct quick_parent *p)
{
	/* Before it is looked at: what changes meanwhile counts. */
	unsigned int change = walk_changes();

	p->n = 0;
	place_parent(p, q);
	p->change = change;
	p->rules = t->rules;
	if (p->way == QUICK_REAL_PLACE) {
		p->until = walk_verified_until(q->given, q->parent - 1);
		/* Unknown: the long way looks at it. */
		if (p->until == 0)
			return NULL;
	}
	memcpy(p->text, q->given, q->parent);
	p->n = (unsigned char)q->parent;
	return p;
}

/* What is known of the directory of the path at @path; NULL = nothing that helps. */
static const struct quick_parent *parent_of(struct quick *q, unsigned long path)
{
	long n = copy_text(q->given, (const char *)path, sizeof(q->given));
	struct thread *t = thread_self();
	struct quick_parent *p;
	const char *name;
	size_t parent = (size_t)n;

	if (n < 2 || q->given[0] != '/' || q->given[n - 1] == '/')
		return NULL;
	while (q->given[parent - 1] != '/')
		parent--;
	name = q->given + parent;
	if (parent < 2 || parent > QUICK_TEXT ||
	    (size_t)n - parent > NAME_BYTES ||
	    (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))))
		return NULL;
	q->n = (size_t)n;
	q->parent = parent;
	p = &q->parents[(parent + (unsigned char)q->given[parent - 2]) %
			QUICK_PARENTS];
	if (p->n != parent || memcmp(p->text, q->given, parent) != 0 ||
	    !is_current(p, t))
		p = learn(t, q, p);
	return p && p->way != QUICK_NEVER ? p : NULL;
}

static const char *put_real(struct quick *q, const struct quick_parent *p)
{
	memcpy(q->real, p->real, p->real_n);
	memcpy(q->real + p->real_n, q->given + q->parent, q->n - q->parent + 1);
	return q->real;
}

/*
 * A link on the way may lead to where a rule is, where the kernel finds nothing.
 * Not where the directory is none, nor its last name, or that is not followed.
 */
static long when_missing(struct record *r, long result, bool follow)
{
	struct quick *q = &thread_self()->quick;
	struct found f;
	char first;

	if (result != -ENOENT || !files.on)
		return result;
	if (walk_verified_until(q->given, q->parent - 1) &&
	    (!follow || SYS(__NR_readlinkat, AT_FDCWD, q->given, &first, 1) <= 0))
		return result;
	path_exact(&f, AT_FDCWD, q->given, follow ? LAST_FOLLOW : LAST_KEEP);
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

/* A link: it was looked at as one, into where the program wants it, and its mode
 * is at @at there. The upper half of what is read tells the kind. */
static long unless_link(struct record *r, long result, unsigned long at)
{
	uint16_t mode;

	if (result < 0)
		return result;
	result = copy_bytes(&mode, (const void *)at, sizeof(mode));
	return result == 0 && (mode & S_IFMT) == S_IFLNK ? the_long_way(r)
							 : result;
}

static long after_stat(struct record *r, long result)
{
	return unless_link(r, result, r->later.c +
					      offsetof(struct file_status, mode));
}

static long after_statx(struct record *r, long result)
{
	return unless_link(r, result, r->later.e + STATX_MODE);
}

/* All that can be asked of a descriptor alone: fstat(), as C libraries make it. */
static bool only_descriptor(const struct record *r, unsigned long flags)
{
	char first;

	return flags & AT_EMPTY_PATH &&
	       copy_bytes(&first, (const void *)r->rsi, 1) == 0 && !first;
}

static long stat_at(struct record *r, unsigned long path, unsigned long flags,
		    const struct later *real, after_fn *after)
{
	struct quick *q = &thread_self()->quick;
	const struct quick_parent *p;
	bool follow = !(flags & AT_SYMLINK_NOFOLLOW);

	p = flags & AT_EMPTY_PATH ? NULL : parent_of(q, path);
	if (!p)
		return the_long_way(r);
	if (p->way == QUICK_NATIVE) {
		as_asked(r, follow ? after_follow : after_keep);
		return 0;
	}
	r->later = *real;
	r->later.a = (unsigned long)(long)AT_FDCWD;
	r->later.b = (unsigned long)put_real(q, p);
	r->after = follow ? after : as_it_is;
	return 0;
}

static long quick_stat(struct record *r)
{
	const struct later real = { .nr = __NR_newfstatat, .c = r->rsi,
				    .d = AT_SYMLINK_NOFOLLOW };

	return stat_at(r, r->rdi, r->nr == __NR_lstat ? AT_SYMLINK_NOFOLLOW : 0,
		       &real, after_stat);
}

static long quick_newfstatat(struct record *r)
{
	const struct later real = { .nr = __NR_newfstatat, .c = r->rdx,
				    .d = r->r10 | AT_SYMLINK_NOFOLLOW };

	if (only_descriptor(r, r->r10)) {
		as_asked(r, as_it_is);
		return 0;
	}
	return stat_at(r, r->rsi, r->r10, &real, after_stat);
}

static long quick_statx(struct record *r)
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
		       &real, after_statx);
}

static long quick_access(struct record *r)
{
	bool at = r->nr == __NR_faccessat;
	const struct quick_parent *p =
		parent_of(&thread_self()->quick, at ? r->rsi : r->rdi);

	/* Elsewhere the last name may be a link. */
	if (!p || p->way != QUICK_NATIVE)
		return the_long_way(r);
	as_asked(r, after_follow);
	return 0;
}

static long quick_readlink(struct record *r)
{
	struct quick *q = &thread_self()->quick;
	bool at = r->nr == __NR_readlinkat;
	const struct quick_parent *p = parent_of(q, at ? r->rsi : r->rdi);

	if (!p)
		return the_long_way(r);
	if (p->way == QUICK_NATIVE)
		as_asked(r, after_keep);
	else
		call_later(r, __NR_readlinkat, (unsigned long)(long)AT_FDCWD,
			   (unsigned long)put_real(q, p), at ? r->rdx : r->rsi,
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
	struct quick *q = &thread_self()->quick;

	/* A link, or what is no directory: the long way knows. */
	if (result == -ELOOP || result == -ENOTDIR)
		return the_long_way(r);
	if (places_kept())
		places_opened(result, rule_for(rules_now(), q->given, q->n));
	return result;
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

static long open_at(struct record *r, unsigned long path, unsigned long flags,
		    unsigned long mode)
{
	struct quick *q = &thread_self()->quick;
	const struct quick_parent *p;

	/* Only to read; O_NOFOLLOW is asked for below. */
	p = flags & (3 | O_CREAT | O_TRUNC | O_PATH | O_NOFOLLOW) ?
	    NULL : parent_of(q, path);
	if (!p || is_told(q->given + q->parent, q->n - q->parent))
		return the_long_way(r);
	if (p->way == QUICK_NATIVE)
		as_asked(r, after_open);
	else
		call_later(r, __NR_openat, (unsigned long)(long)AT_FDCWD,
			   (unsigned long)put_real(q, p), flags | O_NOFOLLOW,
			   mode, after_open_real);
	return 0;
}

static long quick_open(struct record *r)
{
	return open_at(r, r->rdi, r->rsi, r->rdx);
}

static long quick_openat(struct record *r)
{
	return open_at(r, r->rsi, r->rdx, r->r10);
}

void quick_add(void)
{
	if (engine.log)	/* each path is told there */
		return;
	dispatch_over(&before, __NR_stat, quick_stat);
	dispatch_over(&before, __NR_lstat, quick_stat);
	dispatch_over(&before, __NR_newfstatat, quick_newfstatat);
	dispatch_over(&before, __NR_statx, quick_statx);
	dispatch_over(&before, __NR_access, quick_access);
	dispatch_over(&before, __NR_faccessat, quick_access);
	dispatch_over(&before, __NR_readlink, quick_readlink);
	dispatch_over(&before, __NR_readlinkat, quick_readlink);
	dispatch_over(&before, __NR_open, quick_open);
	dispatch_over(&before, __NR_openat, quick_openat);
}
