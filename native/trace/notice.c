// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Calls that change nothing wait at the listener; most are recorded
 * and let run there. Three things make that as faithful as a stop.
 *
 * A signal takes a waiting call out of its wait, with the result
 * -ERESTARTSYS: the call is begun again, or where the handler was set without
 * SA_RESTART, it fails with EINTR, which no program expects of stat(). The
 * signal stops the task before that is decided: there the result becomes
 * -ERESTARTNOINTR, which always begins the call again. Only where the call
 * itself may have slept, such as the open() of a FIFO, it is left as it is. An
 * answer that was taken is no proof that the call ran: a signal may end the
 * wait after the answer and before the task reads it. So what cannot sleep
 * always begins again, and what can has to expect EINTR anyway.
 *
 * Where the result is wanted (a link of /proc, a task with less rights), the
 * task is taken out of its wait by PTRACE_INTERRUPT and begins the call again
 * under PTRACE_SYSCALL: entry stop, listener, exit stop.
 *
 * The filter of a task that the tracer does not hold answers ENOSYS: so all
 * are traced, and the tracer's death is theirs (PTRACE_O_EXITKILL).
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>
#include <sys/ptrace.h>

#include "notice.h"
#include "notify.h"
#include "record.h"
#include "stop.h"

#define RESTARTSYS 512
#define RESTARTNOINTR 513

static struct syscall_info info_of(const struct seccomp_notif *told)
{
	struct syscall_info info = { .op = INFO_SECCOMP,
				     .arch = told->data.arch,
				     .ip = told->data.instruction_pointer,
				     .nr = (uint32_t)told->data.nr };

	for (int i = 0; i < 6; i++)
		info.args[i] = told->data.args[i];
	return info;
}

static void keep_told(struct task *t, const struct syscall_info *info)
{
	struct told *a = &t->answered;

	a->i386 = info->arch == AUDIT_ARCH_I386;
	a->nr = info->nr;
	a->ip = info->ip;
	memcpy(a->arg, info->args, sizeof(a->arg));
}

static void let_run(struct task *t, const struct syscall_info *info,
		    uint64_t id)
{
	keep_told(t, info);
	t->answered.valid = notify_continue(id);
}

void notice_handle(const struct seccomp_notif *told)
{
	struct syscall_info info = info_of(told);
	struct task *t = task_find((pid_t)told->pid);

	statistics.stops++;
	if (!t)
		t = task_new((pid_t)told->pid);
	if (t->asking == ASK_RESULT) {
		let_run(t, &info, told->id);
		return;
	}
	t->pending.call = NULL;
	t->want_exit = false;
	t->asking = ASK_NOTHING;
	t->notice = told->id;
	if (!stop_hello(t, &info) && stop_enter(t, &info) &&
	    ptrace(PTRACE_INTERRUPT, t->pid, NULL, NULL) == 0) {
		keep_told(t, &info);
		t->answered.valid = false;
		t->asking = ASK_KICKED;
	} else {
		t->pending.call = NULL;
		let_run(t, &info, told->id);
	}
	t->notice = 0;
}

static bool same_call(const struct told *a, const struct syscall_info *info)
{
	return a->nr == info->nr &&
	       a->i386 == (info->arch == AUDIT_ARCH_I386) &&
	       memcmp(a->arg, info->args, sizeof(a->arg)) == 0;
}

void notice_kicked(struct task *t)
{
	struct syscall_info info;
	int64_t result;

	if (t->asking != ASK_KICKED)
		return;
	/* A handler that comes first makes the call again by itself. */
	t->want_exit = info_by_regs(t, &info, &result) &&
		       result == -RESTARTSYS && same_call(&t->answered, &info);
	t->asking = t->want_exit ? ASK_AGAIN : ASK_NOTHING;
}

void notice_stop(struct task *t, int32_t result, bool ok)
{
	struct syscall_info info;
	bool wanted = t->asking == ASK_RESULT;

	if (t->asking == ASK_AGAIN && info_get(t, &info) &&
	    info.op == INFO_ENTRY && same_call(&t->answered, &info)) {
		t->asking = ASK_RESULT;
		return;
	}
	t->asking = ASK_NOTHING;
	t->want_exit = false;
	/* Interrupted once more: it will be told again. */
	if (wanted && ok && result != -RESTARTSYS)
		call_exit(t, result);
	t->pending.call = NULL;
}

void notice_signal(struct task *t)
{
	const struct call *c;
	struct syscall_info info;
	struct entry e;
	int64_t result;

	if (!info_by_regs(t, &info, &result) || result != -RESTARTSYS)
		return;
	e = stop_entry(&info);
	c = calls_find(e.i386, e.nr);
	if (!c || !calls_notified(c, e.arg))
		return;
	if (t->answered.valid && t->answered.ip == info.ip &&
	    same_call(&t->answered, &info) && call_may_sleep(t, c, &e))
		return;
	info_set_result(t, -RESTARTNOINTR);
}
