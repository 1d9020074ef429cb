// SPDX-License-Identifier: Apache-2.0
/*
 * Element: files, the short way: what is known of directories. A path that begins
 * at "/" and has nothing odd is split at its last slash. What was found out about
 * the directory (that no rule is about what lies in it, or where it really is) is
 * remembered by each thread for some directories, as long as walk.c believes what
 * it has seen. So a path is placed by one comparison of a text.
 */
#include "gate.h"
#include "paths.h"
#include "quick.h"
#include "rules.h"
#include "sys.h"
#include "text.h"
#include "thread.h"
#include "walk.h"

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
	q->real_of = NULL;
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

/* As memcmp(), for some ten bytes and in place: this is nearly all there is to do. */
static inline bool is_same(const char *a, const char *b, size_t n)
{
	uint64_t x, y;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		__builtin_memcpy(&x, a + i, 8);
		__builtin_memcpy(&y, b + i, 8);
		if (x != y)
			return false;
	}
	for (; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

const struct quick_parent *quick_parent_of(struct quick *q, unsigned long path)
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
	if (p->n != parent || !is_same(p->text, q->given, parent) ||
	    !is_current(p, t))
		p = learn(t, q, p);
	return p && p->way != QUICK_NEVER ? p : NULL;
}

const char *quick_put_real(struct quick *q, const struct quick_parent *p)
{
	/* Mostly it is the directory of the call before. */
	if (q->real_of != p)
		memcpy(q->real, p->real, p->real_n);
	q->real_of = p;
	memcpy(q->real + p->real_n, q->given + q->parent, q->n - q->parent + 1);
	return q->real;
}
