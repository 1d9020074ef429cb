// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Tasks are SEIZEd, so that a stop of the whole group (SIGSTOP) is
 * told from the delivery of a signal: the first is answered by LISTEN, which
 * leaves the task stopped as it would be untraced, the second by handing the
 * signal on. A new task may report before the event of its parent: it is
 * resumed at once and counts as an orphan (nothing is cached or foretold for
 * it) until the event says what it shares. Any ptrace request may find that
 * the task was killed meanwhile; its death is then reported by wait.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "ask.h"
#include "near.h"
#include "notice.h"
#include "resolve.h"
#include "special.h"
#include "stop.h"
#include "stopped.h"
#include "without.h"

#define EVENT_SECCOMP 7
#define EVENT_STOP 128

static bool old_order;	/* kernel < 4.8 */

void stop_resume(const struct loop *loop, struct task *t, int sig)
{
	bool every = loop->mode == MODE_PLAIN || t->want_exit;

	/* ESRCH: killed while it was stopped; wait will say so. */
	near_resume(every ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, sig,
		    !t->steady && !t->reads_status);
	t->steady = false;
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

bool stop_hello(struct task *t, const struct syscall_info *info)
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

struct entry stop_entry(const struct syscall_info *info)
{
	struct entry e = { .nr = info->nr };

	e.i386 = info->arch == AUDIT_ARCH_I386;
	e.x32 = !e.i386 && (info->nr & 0x40000000) != 0 &&
		(uint32_t)info->nr != 0xffffffff;
	for (int i = 0; i < 6; i++)
		e.arg[i] = info->args[i];
	return e;
}

bool stop_enter(struct task *t, const struct syscall_info *info)
{
	const struct entry e = stop_entry(info);

	return call_enter(t, &e);
}

static void on_seccomp(const struct loop *loop, struct task *t)
{
	struct syscall_info info;

	t->pending.call = NULL;
	t->want_exit = false;
	if (!info_get(t, &info))
		return;
	if (info.ret_data != FILTER_COOKIE &&
	    info.ret_data != FILTER_COOKIE_X32) {
		refuse_call(t);
	} else if (stop_hello(t, &info)) {
		/* Its exit stop shows the order of stops of this kernel. */
		t->want_exit = true;
		t->skip_entry = true;
	} else {
		t->want_exit = stop_enter(t, &info);
		t->skip_entry = t->want_exit && old_order;
		if (ask_enter(t))
			return;
	}
	stop_resume(loop, t, 0);
}

static void on_exit_stop(const struct loop *loop, struct task *t)
{
	bool ok;
	int32_t result = info_result(t, &ok);

	if (t->asking != ASK_NOTHING) {
		notice_stop(t, result, ok);
		stop_resume(loop, t, 0);
		return;
	}
	if (t->skip_entry) {
		t->skip_entry = false;
		if (t->pending.call || result == -ENOSYS) {
			old_order |= !t->pending.call;
			stop_resume(loop, t, 0);
			return;
		}
	}
	t->want_exit = false;
	if (t->begins_again) {
		info_again(t);
		t->begins_again = false;
		stop_resume(loop, t, 0);
		return;
	}
	if (ok && ask_exit(t, result))
		return;
	if (ok)
		call_exit(t, result);
	stop_resume(loop, t, 0);
}

static void on_plain_stop(const struct loop *loop, struct task *t)
{
	struct syscall_info info;
	bool ok;
	int32_t result;

	if (!info_get(t, &info))
		return;
	if (info.op == INFO_EXIT) {
		t->in_call = false;
		result = info_result(t, &ok);
		if (ok)
			call_exit(t, result);
	} else {
		t->in_call = true;
		if (loop->calls)
			record_call(t->pid, info.arch == AUDIT_ARCH_I386,
				    info.nr);
		if (!stop_hello(t, &info) && !stop_enter(t, &info))
			t->pending.call = NULL;
	}
	stop_resume(loop, t, 0);
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
		child->alone = !(flags & CLONE_VM) &&
			       event != PTRACE_EVENT_VFORK;
		t->alone = t->alone && child->alone;
		task_inherit(child, t, flags);
	}
	stop_resume(loop, t, 0);
}

static void on_exec(const struct loop *loop, struct task *t)
{
	unsigned long former = 0;

	ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &former);
	if (former != 0)
		task_exec(t, (pid_t)former);
	t->alone = true;
	call_executed(t);
	t->want_exit = false;
	stop_resume(loop, t, 0);
}

static bool stops(int sig)
{
	return sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN ||
	       sig == SIGTTOU;
}

/* By which daemons are told to read their configuration anew. */
static bool asks_to_reload(int sig)
{
	return sig == SIGHUP || sig == SIGUSR1 || sig == SIGUSR2;
}

/* on_signal() - the delivery of a signal or, on a kernel without SEIZE, also
 * the stop of a group and the first stop of a new task. */
static void on_signal(const struct loop *loop, struct task *t, int sig)
{
	siginfo_t info;

	if (without.seize && stops(sig)) {
		if (t->newborn && sig == SIGSTOP) {
			t->newborn = false;
			stop_resume(loop, t, 0);
			return;
		}
		if (ptrace(PTRACE_GETSIGINFO, t->pid, NULL, &info) < 0 &&
		    errno == EINVAL) {
			stopped_keep(t);
			return;
		}
	}
	if (asks_to_reload(sig) &&
	    ptrace(PTRACE_GETSIGINFO, t->pid, NULL, &info) == 0 &&
	    info.si_code <= 0)
		record_signal(task_tgid(t), sig, info.si_pid);
	if (loop->mode == MODE_NOTIFY)
		notice_signal(t);
	stop_resume(loop, t, sig);
}

void stop_handle(const struct loop *loop, struct task *t, int status)
{
	int sig = WSTOPSIG(status);

	statistics.stops++;
	switch (status >> 16) {
	case 0:
		if (sig != (SIGTRAP | 0x80))
			on_signal(loop, t, sig);
		else if (loop->mode == MODE_PLAIN)
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
		notice_kicked(t);
		if (stops(sig))
			ptrace(PTRACE_LISTEN, t->pid, NULL, NULL);
		else
			stop_resume(loop, t, 0);
		break;
	default:
		stop_resume(loop, t, 0);
	}
}
