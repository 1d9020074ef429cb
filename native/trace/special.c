// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

#include "exec.h"
#include "look.h"
#include "memory.h"
#include "rights.h"
#include "sockets.h"
#include "special.h"

#define NR_MOVE_MOUNT 429

void lost(struct task *t, enum lost_reason reason, const char *text)
{
	char what[128];
	int n = snprintf(what, sizeof(what), "process %d: %s",
			 (int)task_tgid(t), text);

	record_lost(t->pid, reason, (struct span){ what, (size_t)n });
}

bool special_keep(struct task *t, const struct call *c, struct span text)
{
	if (!task_keep(t, text.p, text.n, NULL, 0))
		return false;
	t->pending.call = c;
	t->pending.unresolved = false;
	return true;
}

/* A child made with CLONE_UNTRACED would run under the filter without a
 * tracer: every call of it would fail. The flag means nothing else. */
static void keep_traced(const struct task *t, const struct call *c,
			const struct entry *e)
{
	uintptr_t flags = (uintptr_t)(t->clone_flags &
				      ~(uint64_t)CLONE_UNTRACED);
	size_t reg = e->i386 ? offsetof(struct user_regs_struct, rbx)
			     : offsetof(struct user_regs_struct, rdi);

	if (c->op == 1)
		ptrace(PTRACE_POKEUSER, t->pid, (void *)reg, (void *)flags);
	else
		ptrace(PTRACE_POKEDATA, t->pid,
		       (void *)(uintptr_t)e->arg[0], (void *)flags);
}

static bool enter_fork(struct task *t, const struct call *c,
		       const struct entry *e)
{
	/* The mask of the parent is inherited. */
	t->steady = true;
	t->clone_flags = c->flags < 0 ? 0 : e->arg[0];
	if (c->op == 3 && !memory_read(t, e->arg[0], &t->clone_flags,
				       sizeof(t->clone_flags)))
		t->clone_flags = 0;
	if (t->clone_flags & CLONE_UNTRACED)
		keep_traced(t, c, e);
	return false;
}

bool special_enter(struct task *t, const struct call *c,
		   const struct entry *e)
{
	struct span none = { "", 0 };

	switch ((enum call_kind)c->kind) {
	case KIND_EXEC:
		return enter_exec(t, c, e);
	case KIND_SOCKET:
		return enter_socket(t, c, e->arg, c->op);
	case KIND_SOCKETCALL:
		return enter_socketcall(t, c, e);
	case KIND_UNSHARE:
		if (e->arg[0] & CLONE_NEWUSER)
			t->less_rights = t->other_users = true;
		return (e->arg[0] & (CLONE_FS | CLONE_NEWNS |
				     CLONE_NEWUSER)) && special_keep(t, c, none);
	case KIND_SETNS:
		t->less_rights = t->other_users = true;
		return special_keep(t, c, none);
	case KIND_IDS:
		t->less_rights = true;
		rights_forget(t);
		return false;
	case KIND_PTRACE:
		lost(t, LOST_PTRACE, "asked to trace; it is traced itself");
		return false;
	case KIND_SECCOMP:
		t->pending.flags = 0;
		return e->arg[0] == SECCOMP_SET_MODE_FILTER &&
		       (e->arg[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
		       special_keep(t, c, none);
	case KIND_IOURING:
		return special_keep(t, c, none);
	case KIND_FORK:
		return enter_fork(t, c, e);
	case KIND_AFFINITY:
		t->steady = true;
		return false;
	default:
		return false;
	}
}

static void say_root(struct task *t)
{
	bool foreign;
	struct span root;

	fs_forget_root(t);
	root = task_root(t, &foreign);
	if (root.n == 0)
		root = (struct span){ "/", 1 };
	record_root(t->pid, foreign ? 1 : 0, root);
}

void special_exit(struct task *t, int32_t result)
{
	struct pending *k = &t->pending;

	switch ((enum call_kind)k->call->kind) {
	case KIND_EXEC:
		record_exec(t->pid, result, (struct span){ k->text, k->n },
			    (struct span){ "", 0 });
		break;
	case KIND_SOCKET:
	case KIND_SOCKETCALL:
		exit_socket(t, result);
		break;
	case KIND_UNSHARE:
	case KIND_SETNS:
		if (result >= 0) {
			fs_own(t);
			say_root(t);
		}
		break;
	case KIND_SECCOMP:
		if (result >= 0)
			lost(t, LOST_NOTIFY, "has a filter with a supervisor");
		else if (result == -EBUSY)
			lost(t, LOST_REFUSED, "may not have a supervisor of "
			     "its filter in this mode: use seccomp or plain");
		break;
	case KIND_IOURING:
		if (result >= 0)
			lost(t, LOST_IOURING, "uses io_uring");
		break;
	default:
		break;
	}
}

void special_effect(struct task *t)
{
	switch ((enum call_kind)t->pending.call->kind) {
	case KIND_CHDIR:
	case KIND_FCHDIR:
		fs_forget_cwd(t);
		break;
	case KIND_TWO:
		if (t->pending.op == OP_RENAME)
			fs_generation++;
		break;
	case KIND_PIVOT:
		/* Moves the root and directory of every task in it. */
		fs_generation++;
		say_root(t);
		break;
	case KIND_CHROOT:
		say_root(t);
		break;
	case KIND_MOUNT:
		fs_generation++;
		break;
	default:
		break;
	}
}

void mount_note(struct task *t, const struct call *c, const struct entry *e)
{
	static const char *const safe[] = {
		"", "tmpfs", "proc", "sysfs", "overlay", "devpts", "mqueue",
		"cgroup", "cgroup2", "ext4", "xfs", "btrfs", "none", "devtmpfs",
	};
	char type[32];
	long n;

	if (c->nr64 == NR_MOVE_MOUNT)
		lookups_off = true;	/* of a type said to fsopen() */
	if (c->path2 < 0)
		return;
	n = e->arg[2] ? memory_string(t, e->arg[2], type, sizeof(type)) : 0;
	if (n == -1)
		n = 0;
	for (size_t i = 0; n >= 0 && i < sizeof(safe) / sizeof(safe[0]); i++)
		if (strlen(safe[i]) == (size_t)n &&
		    memcmp(safe[i], type, (size_t)n) == 0)
			return;
	lookups_off = true;
}
