// SPDX-License-Identifier: Apache-2.0
/* The results of calls that are not waited for: see enter.c. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "foretell.h"
#include "look.h"
#include "names.h"
#include "rights.h"

/* What may() is to be asked of an open for @op; of O_WRONLY and O_RDWR, which
 * are one here, more than the first needs. */
static int mode_of(uint8_t op)
{
	if (op == OP_WRITE)
		return R_OK | W_OK;
	return op == OP_READ || op == OP_LIST ? R_OK : F_OK;
}

/* What a lookup tells of where the task has less rights: access() has a mode,
 * and attributes have rules of their own. */
static bool tells_all(uint8_t op)
{
	return op == OP_STAT || op == OP_READLINK || mode_of(op) != F_OK;
}

/* find() - as lookup(), with the rights of @t and, for an open, asking whether
 * it would be allowed where that is not certain. @sure: what was found is so
 * for the task too; where it may be refused, only with its own rights. */
static int find(struct task *t, const struct path_record *r, struct stat *st,
		bool *sure)
{
	bool nofollow = (r->flags & PATH_NOFOLLOW) != 0;
	bool less = t->less_rights || t->orphan;
	bool lent = less && !t->orphan && tells_all(r->op) && rights_borrow(t);
	int result = lookup(&first_name, nofollow, st);

	/* To root nothing is denied but writing to what is read-only. */
	if (result == 0 && !S_ISLNK(st->st_mode) && mode_of(r->op) != F_OK &&
	    (lent || r->op == OP_WRITE))
		result = may(&first_name, mode_of(r->op), nofollow);
	if (lent)
		*sure = rights_return() && (result == 0 || result == -EACCES);
	else
		*sure = !less && result == 0;
	return result;
}

static bool not_there(int result)
{
	return result == -ENOENT || result == -ENOTDIR;
}

static void say_foretold(const struct task *t, struct path_record *r,
			 struct seen_key key, int result)
{
	r->flags |= PATH_FORETOLD;
	r->result = result;
	record_path(t->pid, r, key);
}

bool foretell(struct task *t, struct path_record *r, struct seen_key key)
{
	struct stat st;
	bool sure;
	int result;

	if (lookups_off || !first_name.plain || first_name.magic)
		return false;
	result = find(t, r, &st, &sure);
	/* What is not there for the tracer is not there for anybody. */
	if (!not_there(result) && !sure)
		return false;
	if (result == 0) {
		if (r->op == OP_READLINK && !S_ISLNK(st.st_mode))
			result = -EINVAL;
		else if (r->op == OP_READ && S_ISDIR(st.st_mode))
			r->op = OP_LIST;
		else if (r->op == OP_LIST && !S_ISDIR(st.st_mode))
			result = -ENOTDIR;
		else if (r->op == OP_READ && S_ISLNK(st.st_mode))
			result = -ELOOP;
	}
	say_foretold(t, r, key, result);
	return true;
}

bool foretell_change(struct task *t, struct path_record *r,
		     struct seen_key key)
{
	struct stat st;
	bool sure;
	int result;

	if (lookups_off || !first_name.plain || first_name.magic)
		return false;
	result = find(t, r, &st, &sure);
	if (not_there(result)) {
		say_foretold(t, r, key, result);
		return true;
	}
	r->flags |= PATH_EXISTED;
	if (result != 0 || !sure || r->op != OP_WRITE ||
	    (r->flags & PATH_TRUNCATED) || !S_ISREG(st.st_mode))
		return false;
	say_foretold(t, r, key, 0);
	return true;
}
