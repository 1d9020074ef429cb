// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. A daemon that has become another user is the usual case, and to ask
 * such a task itself whether it may see a file costs two stops more. The
 * kernel judges paths by the file system's user, group, and the supplementary
 * groups; a tracer that is root takes those of the task for one lookup, which
 * also takes its rights over all files (capabilities(7), "Effect of user ID
 * changes"). That stands for the task where it has no capability of its own,
 * is in the tracer's user namespace, and cannot change its ids unseen: the
 * calls that change groups are not stops, but without a capability they give
 * nothing where all ids of a kind are equal. The ids are read again after each
 * stop of setuid() and its kin, and after each exec.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rights.h"

#define GROUPS_MAX 64
#define STATUS_MAX 4096

struct rights {
	bool usable;
	uint32_t uid;
	uint32_t gid;
	int count;
	uint32_t groups[GROUPS_MAX];
};

static struct {
	bool asked;
	bool able;
} tracer;

static struct {
	bool any;
	struct rights r;
} lent;

static bool able(void)
{
	/* With securebits, the rights over files might stay. */
	if (!tracer.asked)
		tracer.able = geteuid() == 0 && prctl(PR_GET_SECUREBITS) == 0;
	tracer.asked = true;
	return tracer.able;
}

/* Numbers of the line @name; -1 where it is not there or has too many. */
static int numbers(const char *status, const char *name, int base,
		   uint64_t *to, int room)
{
	const char *at = strstr(status, name);
	char *end;
	int n = 0;

	if (!at)
		return -1;
	for (at += strlen(name);; at = end) {
		while (*at == ' ' || *at == '\t')
			at++;
		if (*at == '\n' || *at == '\0')
			return n;
		if (n == room)
			return -1;
		to[n++] = strtoull(at, &end, base);
		if (end == at)
			return -1;
	}
}

static bool all_equal(const char *status, const char *name, uint32_t *id)
{
	uint64_t v[4];

	if (numbers(status, name, 10, v, 4) != 4 || v[0] != v[1] ||
	    v[0] != v[2] || v[0] != v[3])
		return false;
	*id = (uint32_t)v[0];
	return true;
}

static bool none(const char *status, const char *name)
{
	uint64_t v;

	return numbers(status, name, 16, &v, 1) == 1 && v == 0;
}

static bool parse(const char *status, struct rights *r)
{
	uint64_t groups[GROUPS_MAX];

	r->count = numbers(status, "\nGroups:", 10, groups, GROUPS_MAX);
	for (int i = 0; i < r->count; i++)
		r->groups[i] = (uint32_t)groups[i];
	return r->count >= 0 && all_equal(status, "\nUid:", &r->uid) &&
	       all_equal(status, "\nGid:", &r->gid) && r->uid != 0 &&
	       none(status, "\nCapPrm:") && none(status, "\nCapEff:");
}

static bool ask(const struct task *t, struct rights *r)
{
	static char text[STATUS_MAX];
	char file[40];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/status", (int)t->pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return parse(text, r);
}

static const struct rights *rights_of(struct task *t)
{
	if (!t->rights) {
		t->rights = calloc(1, sizeof(*t->rights));
		if (t->rights)
			t->rights->usable = ask(t, t->rights);
	}
	return t->rights && t->rights->usable ? t->rights : NULL;
}

/* Groups give nothing to root, and the tracer makes no files: those of the
 * last task stay until another has others. */
static bool lend_groups(const struct rights *r)
{
	size_t n = sizeof(r->groups[0]) * (size_t)r->count;

	if (lent.any && lent.r.gid == r->gid && lent.r.count == r->count &&
	    memcmp(lent.r.groups, r->groups, n) == 0)
		return true;
	lent.any = syscall(SYS_setgroups, r->count, r->groups) == 0;
	syscall(SYS_setfsgid, r->gid);
	/* It tells what was before, not whether it was done. */
	lent.any = lent.any &&
		   (uint32_t)syscall(SYS_setfsgid, r->gid) == r->gid;
	lent.r = *r;
	return lent.any;
}

bool rights_borrow(struct task *t)
{
	const struct rights *r;

	if (t->other_users || !able())
		return false;
	r = rights_of(t);
	if (!r)
		return false;
	if (!lend_groups(r)) {
		tracer.able = false;
		return false;
	}
	lent.r.uid = r->uid;
	/* The C library would change all threads of the process: there is one. */
	syscall(SYS_setfsuid, r->uid);
	return true;
}

bool rights_return(void)
{
	bool had = (uint32_t)syscall(SYS_setfsuid, 0) == lent.r.uid;

	if (!had)
		tracer.able = false;
	return had;
}

void rights_forget(struct task *t)
{
	free(t->rights);
	t->rights = NULL;
}
