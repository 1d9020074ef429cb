// SPDX-License-Identifier: Apache-2.0
#include <linux/sched.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "dirs.h"
#include "rights.h"
#include "task.h"

/* pid_max is at most 2^22: two levels, pages made when first needed. */
#define PAGE_BITS 10
#define PAGE_TASKS (1U << PAGE_BITS)
#define PAGES (1U << (22 - PAGE_BITS))

static struct task **pages[PAGES];
unsigned long fs_generation = 1;

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

static struct task **slot(pid_t pid, bool make)
{
	unsigned page = (unsigned)pid >> PAGE_BITS;

	if (page >= PAGES)
		die("process id %d is out of range", (int)pid);
	if (!pages[page]) {
		if (!make)
			return NULL;
		pages[page] = must(calloc(PAGE_TASKS, sizeof(struct task *)));
	}
	return &pages[page][(unsigned)pid & (PAGE_TASKS - 1)];
}

struct task *task_find(pid_t pid)
{
	struct task **at = slot(pid, false);

	return at ? *at : NULL;
}

struct fs *fs_new(void)
{
	struct fs *fs = must(calloc(1, sizeof(*fs)));

	fs->refs = 1;
	return fs;
}

static void fs_put(struct fs *fs)
{
	if (--fs->refs > 0)
		return;
	free(fs->root);
	free(fs->cwd);
	free(fs);
}

struct task *task_new(pid_t pid)
{
	struct task **at = slot(pid, true);
	struct task *t = must(calloc(1, sizeof(*t)));

	t->pid = pid;
	t->fs = fs_new();
	t->fs->uncached = true;
	t->orphan = true;
	t->newborn = true;
	*at = t;
	return t;
}

void task_free(struct task *t)
{
	*slot(t->pid, true) = NULL;
	fs_put(t->fs);
	dirs_gone(t->pid);
	rights_forget(t);
	free(t->pending.text);
	free(t);
}

static struct fs *fs_copy(const struct fs *from)
{
	struct fs *fs = fs_new();

	*fs = *from;
	fs->refs = 1;
	fs->uncached = false;
	if (from->root)
		fs->root = must(strdup(from->root));
	if (from->cwd)
		fs->cwd = must(strdup(from->cwd));
	return fs;
}

void task_inherit(struct task *child, const struct task *parent,
		  uint64_t flags)
{
	struct fs *old = child->fs;

	child->orphan = false;
	if (!old->uncached) {
		old->refs++;	/* it has already unshared its own */
	} else if (flags & CLONE_FS) {
		child->fs = parent->fs;
		child->fs->refs++;
	} else {
		child->fs = fs_copy(parent->fs);
	}
	fs_put(old);
	/* It may already have gone elsewhere, unseen by what it has now: the
	 * kernel may let it run before its parent's event is told. */
	fs_forget_root(child);
	if (flags & CLONE_THREAD)
		child->tgid = parent->tgid;
	else
		child->tgid = child->pid;
	/* It may have executed another before its parent's event came. */
	if (child->program == 0)
		child->program = parent->program;
	child->other_users |= parent->other_users ||
			      (flags & CLONE_NEWUSER) != 0;
	child->less_rights |= parent->less_rights || child->other_users;
}

void task_exec(struct task *t, pid_t former)
{
	struct task *old = former == t->pid ? NULL : task_find(former);
	struct fs *fs = t->fs;
	struct pending pending = t->pending;

	if (!old)
		return;
	t->fs = old->fs;
	old->fs = fs;
	t->pending = old->pending;
	old->pending = pending;
	t->less_rights |= old->less_rights;
	t->other_users |= old->other_users;
	rights_forget(t);
	t->want_exit = old->want_exit;
	t->in_call = old->in_call;
	t->asking = ASK_NOTHING;
	t->answered.valid = false;
	t->question = 0;
	t->makes = false;
	t->begins_again = false;
	t->reads_status |= old->reads_status;
	task_free(old);
}

bool task_keep(struct task *t, const void *p, size_t n, const void *p2,
	       size_t n2)
{
	struct pending *k = &t->pending;

	if (k->room < n + n2) {
		free(k->text);
		k->room = 0;
		k->text = malloc(n + n2);
		if (!k->text)
			return false;
		k->room = n + n2;
	}
	if (n > 0)
		memcpy(k->text, p, n);
	if (n2 > 0)
		memcpy(k->text + n, p2, n2);
	k->n = n;
	k->n2 = n2;
	return true;
}

void fs_forget_cwd(struct task *t)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): whoever holds it counts */
	free(t->fs->cwd);
	t->fs->cwd = NULL;
	/* Who shares an unknown fs is unknown: forget all. */
	if (t->fs->uncached)
		fs_generation++;
}

void fs_forget_root(struct task *t)
{
	fs_forget_cwd(t);
	t->fs->root_known = false;
}

void fs_own(struct task *t)
{
	struct fs *fs = fs_copy(t->fs);

	fs_put(t->fs);
	t->fs = fs;
}
