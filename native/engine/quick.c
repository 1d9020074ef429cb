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

/* The directory's real place, with a slash behind it. */
static bool real_place(struct quick_parent *p, const struct quick_given *g,
		       const struct rule *r)
{
	size_t package = files.package_length,
	       n = package + r->to_length + g->parent - r->from_length;

	/* Of a single file nothing lies in a directory that is its own. */
	if ((r->mode != RULE_FULL && r->mode != RULE_READ_ONLY) || r->exact ||
	    r->to_length == 1 || r->from_length == 1 || n > QUICK_REAL ||
	    g->parent <= r->from_length)
		return false;
	memcpy(p->real, files.package, package);
	memcpy(p->real + package, r->to, r->to_length);
	memcpy(p->real + package + r->to_length, g->path + r->from_length,
	       g->parent - r->from_length);
	p->real_n = (unsigned char)n;
	return true;
}

/* What no rule redirects, of a directory that has rules below it. */
static bool is_free(const struct quick_given *g)
{
	return !rule_redirects(rule_for(rules_now(), g->path, g->n));
}

static void place_native(struct quick_parent *p, const struct quick_given *g,
			 enum quick_way way)
{
	if (thread_self()->rules->host_has)
		return;
	p->name = (unsigned short)(offsetof(struct quick, given) + g->parent);
	p->way = (unsigned char)way;
}

static void place_parent(struct quick_parent *p, const struct quick_given *g)
{
	/* The directory's own, without its slash. */
	size_t n = g->parent > 1 ? g->parent - 1 : 1;
	struct rule r;

	p->way = QUICK_NEVER;
	if (is_special(g->path) || !path_is_simple(g->path, g->n))
		return;
	if (rule_below(rules_now(), g->path, n, 0) != NO_RULE) {
		if (!rule_redirects(rule_for(rules_now(), g->path, n)))
			place_native(p, g, QUICK_ASK);
		return;
	}
	if (is_free(g)) {
		place_native(p, g, QUICK_NATIVE);
		return;
	}
	r = rule_get(rules_now(), rule_for(rules_now(), g->path, g->n));
	if (!real_place(p, g, &r) || is_special(p->real))
		return;
	p->name = (unsigned short)(offsetof(struct quick, real) + p->real_n);
	p->way = QUICK_REAL_PLACE;
}

static inline bool is_current(const struct quick_parent *p)
{
	return p->change == walk_changes() &&
	       (p->way != QUICK_REAL_PLACE || !walk_is_over(p->until));
}

COLD static struct quick_parent *learn(struct thread *t, struct quick *q,
				       const struct quick_given *g,
				       struct quick_parent *p)
{
	/* Before it is looked at: what changes meanwhile counts. */
	unsigned int change = walk_changes();

	p->n = 0;
	if (q->last == p)
		q->last = NULL;
	if (q->real_of == p)
		q->real_of = NULL;
	place_parent(p, g);
	p->change = change;
	p->rules = t->rules;
	if (p->way == QUICK_REAL_PLACE) {
		p->until = walk_verified_until(g->path, g->parent - 1);
		/* Unknown: the long way looks at it. */
		if (p->until == 0)
			return NULL;
	}
	memcpy(p->text, g->path, g->parent);
	p->n = (unsigned char)g->parent;
	return p;
}

/* False where the path is not a directory's and one name. */
static bool split(struct quick_given *g, long n)
{
	const char *name;

	if (n < 2 || g->path[0] != '/' || g->path[n - 1] == '/')
		return false;
	g->n = g->parent = (size_t)n;
	while (g->path[g->parent - 1] != '/')
		g->parent--;
	name = g->path + g->parent;
	return g->parent <= QUICK_TEXT &&
	       g->n - g->parent <= NAME_BYTES &&
	       !(name[0] == '.' &&
		 (!name[1] || (name[1] == '.' && !name[2])));
}

/* Where what is known of the directory is, or is to be. Of two slots: those that
 * are looked at in turn would drive each other out of one. */
static struct quick_parent *place_of(struct quick *q, const struct quick_given *g)
{
	unsigned int slot = walk_hash(g->path, g->parent) % QUICK_SLOTS;
	struct quick_parent *p;

	for (unsigned int i = 0; i < 2; i++) {
		if (q->slots[slot ^ i] == 0)
			continue;
		p = &q->parents[q->slots[slot ^ i] - 1];
		if (p->n == g->parent &&
		    memcmp(p->text, g->path, g->parent) == 0)
			return p;
	}
	if (q->slots[slot] != 0 && (q->slots[slot ^ 1] == 0 || q->next & 1))
		slot ^= 1;
	p = &q->parents[q->next % QUICK_PARENTS];
	q->slots[slot] = (unsigned char)(q->next++ % QUICK_PARENTS + 1);
	p->n = 0;
	return p;
}

/* By the text of the path: in another directory than the call before. */
COLD static const struct quick_parent *look(struct quick *q, unsigned long path)
{
	struct thread *t = thread_self();
	long n = copy_text(q->given, (const char *)path, sizeof(q->given));
	struct quick_given g = { q->given, 0, 0 };
	struct quick_parent *p;

	if (!split(&g, n))
		return NULL;
	p = place_of(q, &g);
	if (p->n == 0 || p->rules != t->rules || !is_current(p))
		p = learn(t, q, &g, p);
	if (!p || p->way == QUICK_NEVER ||
	    (p->way == QUICK_ASK && !is_free(&g)))
		return NULL;
	q->last = p;
	q->n = g.n - g.parent;
	if (p->way == QUICK_REAL_PLACE) {
		if (q->real_of != p)
			memcpy(q->real, p->real, p->real_n);
		q->real_of = p;
		memcpy(q->real + p->real_n, g.path + g.parent, q->n + 1);
	}
	return p;
}

COLD static const struct quick_parent *ask(struct quick *q,
					   const struct quick_parent *p)
{
	struct quick_given g = quick_given(q);

	return is_free(&g) ? p : NULL;
}

HOT const struct quick_parent *quick_parent_of(unsigned long path)
{
	struct quick *q = &thread_self()->quick;
	struct quick_parent *p = q->last;
	const char *name;
	long n;

	if (HARDLY(!p))
		return look(q, path);
	name = (char *)q + p->name;
	n = copy_name((char *)q + p->name, (const char *)path, p->text, p->n);
	q->n = (size_t)n;
	/* "." and ".." are rare, and so is what looks like them. */
	if (HARDLY((n <= 2 && (n <= 0 || name[0] == '.')) ||
		   p->change != walk_changes()))
		return look(q, path);
	if (MOSTLY(p->way == QUICK_REAL_PLACE))
		return HARDLY(walk_is_over(p->until)) ? look(q, path) : p;
	return p->way == QUICK_ASK ? ask(q, p) : p;
}

struct quick_given quick_given(struct quick *q)
{
	const struct quick_parent *p = q->last;

	memcpy(q->given, p->text, p->n);
	if (p->way == QUICK_REAL_PLACE)
		memcpy(q->given + p->n, q->real + p->real_n, q->n + 1);
	return (struct quick_given){ q->given, p->n + q->n, p->n };
}
