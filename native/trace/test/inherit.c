// SPDX-License-Identifier: Apache-2.0
/*
 * What a child that was resumed before its parent's event came has done with
 * its root and directory is not overlooked when that event comes. Which of
 * the two the kernel tells first is chance, so the two are called here.
 * Built with ../task.c by test/integration/native-trace-inherit.test.ts.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "../dirs.h"
#include "../rights.h"
#include "../task.h"

void dirs_gone(pid_t pid)
{
	(void)pid;
}

void rights_forget(struct task *t)
{
	(void)t;
}

static void know(struct task *t, const char *root, const char *cwd)
{
	t->fs->root = strdup(root);
	t->fs->root_n = strlen(root);
	t->fs->root_known = true;
	t->fs->cwd = strdup(cwd);
	t->fs->cwd_n = strlen(cwd);
	t->fs->uncached = false;
}

int main(void)
{
	static const unsigned long flags[] = { 0, CLONE_FS, CLONE_NEWNS };

	for (pid_t n = 0; n < 3; n++) {
		struct task *parent = task_new(100 + n);
		struct task *child = task_new(200 + n);

		know(parent, "", "/before");
		/* The child's chroot() */
		fs_forget_root(child);
		task_inherit(child, parent, flags[n]);
		printf("%lx root %s, directory %s, parent's root %s\n", flags[n],
		       child->fs->root_known ? "known" : "unknown",
		       child->fs->cwd ? "known" : "unknown",
		       parent->fs->root_known ? "known" : "unknown");
		task_free(child);
		task_free(parent);
	}
	return 0;
}
