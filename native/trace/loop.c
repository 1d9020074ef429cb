// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Tasks are SEIZEd, so that a stop of the whole group (SIGSTOP) is
 * told from the delivery of a signal: the first is answered by LISTEN, which
 * leaves the task stopped as it would be untraced, the second by handing the
 * signal on. A new task may report before the event of its parent: it is
 * resumed at once and counts as an orphan (nothing is cached or foretold for
 * it) until the event says what it shares. Any ptrace request may find that
 * the task was killed meanwhile; its death is then reported by wait.
 *
 * The kernel looks for a task to report from the head of its list, so a few
 * busy tasks could starve the others: now and then all that are ready are
 * collected before any is answered.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "enter.h"
#include "die.h"
#include "loop.h"
#include "near.h"
#include "resolve.h"
#include "special.h"

#define FAIR_EVERY 16
#define BATCH 256
#define EVENT_SECCOMP 7
#define EVENT_STOP 128
#define GET_SYSCALL_INFO 0x420e
#define INFO_ENTRY 1
#define INFO_EXIT 2
#define INFO_SECCOMP 3

struct syscall_info {
	uint8_t op;
	uint8_t pad[3];
	uint32_t arch;
	uint64_t ip;
	uint64_t sp;
	uint64_t nr;		/* the result, at an exit */
	uint64_t args[6];
	uint32_t ret_data;
};

static bool old_order;	/* kernel < 4.8 */

static void resume(const struct loop *loop, struct task *t, int sig)
{
	int how = loop->plain || t->want_exit ? PTRACE_SYSCALL : PTRACE_CONT;

	/* ESRCH: killed while it was stopped; wait will say so. */
	near_resume(how, t->pid, sig, !t->steady && !t->reads_status);
	t->steady = false;
}

static bool is_int80(const struct task *t, uint64_t ip)
{
	unsigned char code[2];

	return memory_read(t, ip - 2, code, 2) && code[0] == 0xcd &&
	       code[1] == 0x80;
}

static bool info_by_regs(const struct task *t, struct syscall_info *info)
{
	struct user_regs_struct r;
	unsigned long data = 0;
	bool i386;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return false;
	i386 = r.cs == 0x23 || is_int80(t, r.rip);
	info->arch = i386 ? AUDIT_ARCH_I386 : AUDIT_ARCH_X86_64;
	info->nr = r.orig_rax;
	info->ret_data = FILTER_COOKIE;
	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &data) == 0)
		info->ret_data = (uint32_t)data;
	if (i386) {
		const uint64_t args[6] = { r.rbx, r.rcx, r.rdx, r.rsi, r.rdi,
					   r.rbp };

		for (int i = 0; i < 6; i++)
			info->args[i] = (uint32_t)args[i];
	} else {
		const uint64_t args[6] = { r.rdi, r.rsi, r.rdx, r.r10, r.r8,
					   r.r9 };

		for (int i = 0; i < 6; i++)
			info->args[i] = args[i];
	}
	info->op = (long)r.rax == -ENOSYS && !t->in_call ? INFO_ENTRY
							 : INFO_EXIT;
	return true;
}

static bool get_info(struct loop *loop, const struct task *t,
		     struct syscall_info *info)
{
	if (!loop->use_regs) {
		if (ptrace((int)GET_SYSCALL_INFO, t->pid,
			   (void *)sizeof(*info), info) > 0)
			return true;
		if (errno != EIO && errno != EINVAL)
			return false;
		loop->use_regs = true;
	}
	return info_by_regs(t, info);
}

static int32_t get_result(const struct task *t, bool *ok)
{
	long v;

	errno = 0;
	v = ptrace(PTRACE_PEEKUSER, t->pid,
		   (void *)offsetof(struct user_regs_struct, rax), NULL);
	*ok = v != -1 || errno == 0;
	/* A result that matters is a descriptor, a length or an errno. */
	return (int32_t)v;
}

/* An inner filter of the program asked for a tracer of its own: without one
 * the kernel answers ENOSYS. */
static void refuse_call(const struct task *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &r) < 0)
		return;
	r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)-ENOSYS;
	ptrace(PTRACE_SETREGS, t->pid, NULL, &r);
}

static bool is_hello(struct task *t, const struct syscall_info *info)
{
	if (!t->launching || info->args[0] != HELLO_POINTER ||
	    (uint32_t)info->args[1] != HELLO_MODE)
		return false;
	if (info->args[2] & HELLO_NNP)
		lost(t, LOST_NO_SETUID,
		     "set-id programs gain nothing: not traced by root");
	t->launching = false;
	return true;
}

static bool enter(struct task *t, const struct syscall_info *info)
{
	struct entry e = { .nr = info->nr };

	e.i386 = info->arch == AUDIT_ARCH_I386;
	e.x32 = !e.i386 && (info->nr & 0x40000000) != 0 &&
		(uint32_t)info->nr != 0xffffffff;
	for (int i = 0; i < 6; i++)
		e.arg[i] = info->args[i];
	return call_enter(t, &e);
}

static void on_seccomp(struct loop *loop, struct task *t)
{
	struct syscall_info info;

	t->pending.call = NULL;
	t->want_exit = false;
	if (!get_info(loop, t, &info))
		return;
	if (info.ret_data != FILTER_COOKIE &&
	    info.ret_data != FILTER_COOKIE_X32) {
		refuse_call(t);
	} else if (is_hello(t, &info)) {
		/* Its exit stop shows the order of stops of this kernel. */
		t->want_exit = true;
		t->skip_entry = true;
	} else {
		t->want_exit = enter(t, &info);
		t->skip_entry = t->want_exit && old_order;
	}
	resume(loop, t, 0);
}

static void on_exit_stop(struct loop *loop, struct task *t)
{
	bool ok;
	int32_t result = get_result(t, &ok);

	if (t->skip_entry) {
		t->skip_entry = false;
		if (t->pending.call || result == -ENOSYS) {
			old_order |= !t->pending.call;
			resume(loop, t, 0);
			return;
		}
	}
	t->want_exit = false;
	if (ok)
		call_exit(t, result);
	resume(loop, t, 0);
}

static void on_plain_stop(struct loop *loop, struct task *t)
{
	struct syscall_info info;
	bool ok;
	int32_t result;

	if (!get_info(loop, t, &info))
		return;
	if (info.op == INFO_EXIT) {
		t->in_call = false;
		result = get_result(t, &ok);
		if (ok)
			call_exit(t, result);
	} else {
		t->in_call = true;
		if (!is_hello(t, &info) && !enter(t, &info))
			t->pending.call = NULL;
	}
	resume(loop, t, 0);
}

static void on_fork(const struct loop *loop, struct task *t, int event)
{
	unsigned long id = 0;
	uint64_t flags = t->clone_flags;
	struct task *child;
	uint8_t kind = (uint8_t)event;

	if (ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &id) == 0 && id > 0) {
		child = task_find((pid_t)id);
		if (!child)
			child = task_new((pid_t)id);
		if (flags & CLONE_THREAD)
			kind = 4;
		record_fork(t->pid, child->pid, kind);
		task_inherit(child, t, flags);
	}
	resume(loop, t, 0);
}

static void on_exec(const struct loop *loop, struct task *t)
{
	unsigned long former = 0;

	ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &former);
	if (former != 0)
		task_exec(t, (pid_t)former);
	call_executed(t);
	t->want_exit = false;
	resume(loop, t, 0);
}

static void on_stop(struct loop *loop, struct task *t, int status)
{
	int sig = WSTOPSIG(status);

	statistics.stops++;
	switch (status >> 16) {
	case 0:
		if (sig != (SIGTRAP | 0x80))
			resume(loop, t, sig);
		else if (loop->plain)
			on_plain_stop(loop, t);
		else
			on_exit_stop(loop, t);
		break;
	case EVENT_SECCOMP:
		on_seccomp(loop, t);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		on_fork(loop, t, status >> 16);
		break;
	case PTRACE_EVENT_EXEC:
		on_exec(loop, t);
		break;
	case EVENT_STOP:
		if (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
		    sig == SIGTTOU)
			ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
		else
			resume(loop, t, 0);
		break;
	default:
		resume(loop, t, 0);
	}
}

static void on_status(struct loop *loop, pid_t pid, int status, int *cmd)
{
	struct task *t = task_find(pid);

	near_event(pid);
	if (WIFSTOPPED(status)) {
		on_stop(loop, t ? t : task_new(pid), status);
		return;
	}
	if (t)
		call_broken(t);
	record_exit(pid, status);
	if (t)
		task_free(t);
	if (pid == loop->cmd) {
		*cmd = status;
		loop->cmd = 0;
	}
}

struct report {
	pid_t pid;
	int status;
};

int loop_run(struct loop *loop)
{
	static struct report batch[BATCH];
	unsigned turn = 0;
	int cmd = 0;

	for (;;) {
		unsigned n = 0;

		batch[0].pid = waitpid(-1, &batch[0].status, __WALL);
		if (batch[0].pid < 0) {
			if (errno == ECHILD)
				return cmd;
			if (errno != EINTR)
				die_errno("wait");
			record_tick();
			continue;
		}
		n = 1;
		while (++turn % FAIR_EVERY == 0 && n < BATCH) {
			pid_t pid = waitpid(-1, &batch[n].status,
					    __WALL | WNOHANG);

			if (pid <= 0)
				break;
			batch[n++].pid = pid;
			turn--;
		}
		for (unsigned i = 0; i < n; i++)
			on_status(loop, batch[i].pid, batch[i].status, &cmd);
	}
}
