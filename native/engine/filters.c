// SPDX-License-Identifier: Apache-2.0
/*
 * A program that gives itself seccomp filters (a server's sandbox) forbids calls
 * that the engine needs: the return from a trap, what a hook asks, a jump that is
 * written. So each filter is installed with a few instructions in front, which let
 * through whatever does not come from gate_pass_syscall, where the program's calls
 * are made as they were asked. There the kernel judges, and acts.
 *
 * A call that a hook answers is none of those. It is judged here before the hook
 * sees it, by the same code (filter-run.c); where that says anything but "allowed",
 * the call goes to gate_pass_syscall after all, and the kernel does what the filter
 * says: an error, a tracer, a supervisor, SIGSYS for the program, or the end.
 *
 * The kernel keeps filters over execve(); what is judged here is handed on
 * (filters-pass.c). It is the program's sandbox against its own mistakes, and none
 * against code that somebody brought into it: that may jump to the gate.
 */
#include <linux/audit.h>
#include <linux/prctl.h>

#include "dispatch.h"
#include "filter.h"
#include "filter-run.h"
#include "filters.h"
#include "gate.h"
#include "patch.h"
#include "stubs.h"
#include "sys.h"
#include "text.h"
#include "users.h"

/* What the kernel says of a call there. */
#define PASS ((unsigned long)gate_pass_after)
#define FIELD(name) offsetof(struct seccomp_data, name)

static size_t size_of(unsigned int count)
{
	return sizeof(struct filter) +
	       (FRONT + count) * sizeof(struct sock_filter);
}

struct filter *filter_new(unsigned int count)
{
	long at = SYS(__NR_mmap, 0, PAGE_UP(size_of(count)),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct filter *f = (struct filter *)at;

	if (IS_ERROR(at))
		return NULL;
	f->count = count;
	return f;
}

static void filter_free(struct filter *f)
{
	SYS(__NR_munmap, f, PAGE_UP(size_of(f->count)));
}

static void put_front(struct filter *f)
{
	/* Labels are no constants. */
	const struct sock_filter front[FRONT] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 FIELD(instruction_pointer) + 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(PASS >> 32), 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(instruction_pointer)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)PASS, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		/* Filters begin with nothing there. */
		BPF_STMT(BPF_LD | BPF_IMM, 0),
	};

	memcpy(f->code, front, sizeof(front));
}

static bool allows(const struct filter *f, const struct record *r)
{
	struct seccomp_data data = {
		.nr = (int)r->nr, .arch = AUDIT_ARCH_X86_64,
		/* Behind the call, as if the site were no jump. */
		.instruction_pointer = stub_at(r->ret) ? r->site + 2 : r->ret,
		.args = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
	};

	for (; f; f = f->older) {
		unsigned int says = filter_run(f->code + FRONT, f->count, &data) &
				    SECCOMP_RET_ACTION_FULL;

		if (says != SECCOMP_RET_ALLOW && says != SECCOMP_RET_LOG)
			return false;
	}
	return true;
}

/* By the way of calls that nobody looks at. */
_Noreturn static void ask_kernel(struct thread *t, struct record *r)
{
	t->trapped.site = r->site;
	t->trapped.ret = r->ret;
	t->stub = &t->trapped;
	gate_ask(r);
}

static long call_judged(struct record *r)
{
	struct thread *t = thread_self();

	if (t->filters && !allows(t->filters, r))
		ask_kernel(t, r);
	return dispatch_get((unsigned int)r->nr)(r);
}

/* All threads have what one has now: the kernel has made sure that theirs were
 * among those that it had before. */
static void share(const struct filter *f)
{
	for (struct thread *t = thread_all(); t; t = t->next)
		if (t->in_use && !t->vfork_child)
			__atomic_store_n(&t->filters, f, __ATOMIC_RELEASE);
}

static void take(struct filter *f, unsigned long flags)
{
	f->older = thread_self()->filters;
	patch_lock();
	dispatch_judge(call_judged);
	patch_unlock();
	if (flags & SECCOMP_FILTER_FLAG_TSYNC)
		share(f);
	else
		__atomic_store_n(&thread_self()->filters, f, __ATOMIC_RELEASE);
}

/* @code points to the kernel's argument for the code, in the program's call. */
static long install(struct record *r, unsigned long *code, unsigned long flags)
{
	unsigned long was = *code;
	struct sock_fprog given;
	struct filter *f;
	long result;

	/* What is wrong is the kernel's to say. */
	if (copy_bytes(&given, (void *)was, sizeof(given)) < 0 ||
	    given.len == 0 || given.len > BPF_MAXINSNS)
		return call_through(r);
	if (given.len > BPF_MAXINSNS - FRONT)
		return -EINVAL;
	f = filter_new(given.len);
	if (!f)
		return -ENOMEM;
	put_front(f);
	if (copy_bytes(f->code + FRONT, given.filter,
		       given.len * sizeof(*given.filter)) < 0) {
		filter_free(f);
		return call_through(r);
	}
	given.filter = f->code;
	given.len += FRONT;
	*code = (unsigned long)&given;
	result = call_through(r);
	/* Root of the view needs no such promise. */
	if (result == -EACCES && users_on() && users_may(CAP_SYS_ADMIN)) {
		SYS(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		result = call_through(r);
	}
	*code = was;
	/* What is more than 0 is a thread that stands in the way of TSYNC, or the
	 * descriptor of a supervisor. */
	if (result == 0 ||
	    (result > 0 && flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		take(f, flags);
	else
		filter_free(f);
	return result;
}

/* SECCOMP_MODE_STRICT would end the thread at its next trap. */
static long be_strict(void)
{
	static const struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_read, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const unsigned int count = sizeof(code) / sizeof(code[0]);
	struct filter *f;
	struct sock_fprog all;

	if (thread_self()->filters)
		return -EINVAL;
	f = filter_new(count);
	if (!f)
		return -ENOMEM;
	f->strict = true;
	put_front(f);
	memcpy(f->code + FRONT, code, sizeof(code));
	all = (struct sock_fprog){ FRONT + count, f->code };
	/* Nobody can ask for it any more. */
	SYS(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (SYS(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) < 0) {
		filter_free(f);
		return -EINVAL;
	}
	take(f, 0);
	return 0;
}

static long call_seccomp(struct record *r)
{
	if (r->rdi == SECCOMP_SET_MODE_FILTER)
		return install(r, &r->rdx, r->rsi);
	if (r->rdi == SECCOMP_SET_MODE_STRICT && !r->rsi && !r->rdx)
		return be_strict();
	return call_through(r);
}

static struct before before;

static long call_prctl(struct record *r)
{
	if (r->rdi == PR_SET_SECCOMP && r->rsi == SECCOMP_MODE_FILTER)
		return install(r, &r->rdx, 0);
	if (r->rdi == PR_SET_SECCOMP && r->rsi == SECCOMP_MODE_STRICT)
		return be_strict();
	/* Those of the engine's own are none to the program. */
	if (r->rdi == PR_GET_SECCOMP && !thread_self()->filters)
		return 0;
	return call_before(&before, r);
}

void filters_judge(void)
{
	dispatch_judge(call_judged);
}

void filters_add(void)
{
	dispatch_add(__NR_seccomp, call_seccomp);
	dispatch_over(&before, __NR_prctl, call_prctl);
}

bool filters_trapped(struct thread *t, struct signal_frame *frame)
{
	struct sigcontext *c = &frame->uc.uc_mcontext;

	if (c->rip != (unsigned long)gate_pass_after)
		return false;
	if (t->filters && t->filters->strict)
		SYS(__NR_tgkill, SYS(__NR_getpid), SYS(__NR_gettid), SIGKILL);
	/* All other registers are the program's still. */
	c->rip = t->stub->ret;
	patch_show_site(c);
	c->rcx = c->rip;
	c->r11 = c->rip; /* not the flags: traps_swallowed() */
	frame->info.si_call_addr = (void *)c->rip;
	return true;
}
