// SPDX-License-Identifier: Apache-2.0
/*
 * How calls come to us: Syscall User Dispatch with no selector, so that every
 * call traps but those from the gate; or a seccomp filter that says the same.
 * The filter stays for ever, also over execve(): hence a gate at a fixed
 * address.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "code-files.h"
#include "dispatch.h"
#include "engine.h"
#include "files.h"
#include "filters.h"
#include "gate.h"
#include "hardware.h"
#include "held.h"
#include "kept.h"
#include "kernel-views.h"
#include "loopback.h"
#include "rules.h"
#include "signals.h"
#include "sockets.h"
#include "sys.h"
#include "text.h"
#include "users.h"
#include "vsyscall.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#define PR_SYS_DISPATCH_ON 1
#endif
#define ARCH_SET_GS 0x1001
#define ARCH_SHSTK_ENABLE 0x5001

call_fn *calls[CALLS];
/* What answers them: the same, until a thread has filters of its own. */
static call_fn *apart[CALLS] LARGE;
static call_fn **answers = calls;
static call_fn *judge;

#define TAKEN 256
/* Of struct before: what answered call `nr`, and where the list goes on + 1. */
static struct taken {
	call_fn *fn;
	unsigned short nr, next;
} taken[TAKEN];
static unsigned int taken_count;

void dispatch_add(unsigned int nr, call_fn *fn)
{
	/* Also while programs run, see rules.c. */
	__atomic_store_n(&answers[nr], fn, __ATOMIC_RELEASE);
	if (judge)
		__atomic_store_n(&calls[nr], fn ? judge : NULL, __ATOMIC_RELEASE);
}

call_fn *dispatch_get(unsigned int nr)
{
	/* It takes the function's type for an integer. */
	// cppcheck-suppress CastIntegerToAddressAtReturn
	return answers[nr];
}

void dispatch_judge(call_fn *fn)
{
	if (judge)
		return;
	for (unsigned int nr = 0; nr < CALLS; nr++)
		apart[nr] = calls[nr];
	__atomic_store_n(&answers, apart, __ATOMIC_RELEASE);
	judge = fn;
	for (unsigned int nr = 0; nr < CALLS; nr++)
		if (apart[nr])
			__atomic_store_n(&calls[nr], fn, __ATOMIC_RELEASE);
}

long call_through(struct record *r)
{
	return gate_app((long)r->nr, (long)r->rdi, (long)r->rsi, (long)r->rdx,
			(long)r->r10, (long)r->r8, (long)r->r9);
}

void dispatch_note(struct before *b, unsigned int nr)
{
	unsigned int n = __atomic_fetch_add(&taken_count, 1, __ATOMIC_RELAXED);

	if (n >= TAKEN)
		engine_die(EXIT_ENGINE, "too many calls of elements", NULL);
	else
		taken[n] = (struct taken){ answers[nr], (unsigned short)nr,
					   (unsigned short)b->first };
	/* Also while programs run, as above. */
	__atomic_store_n(&b->first, n + 1, __ATOMIC_RELEASE);
}

void dispatch_over(struct before *b, unsigned int nr, call_fn *fn)
{
	dispatch_note(b, nr);
	dispatch_add(nr, fn);
}

long call_before(const struct before *b, struct record *r)
{
	unsigned int n = __atomic_load_n(&b->first, __ATOMIC_ACQUIRE);

	for (; n > 0; n = taken[n - 1].next) {
		if (taken[n - 1].nr == r->nr && taken[n - 1].fn)
			return taken[n - 1].fn(r);
	}
	return call_through(r);
}

static long call_refused(struct record *r)
{
	(void)r;
	return -ENOSYS;
}

static long call_prctl(struct record *r)
{
	if (r->rdi == PR_SET_SYSCALL_USER_DISPATCH)
		return -EINVAL; /* as of a kernel that has it not */
	return call_through(r);
}

static long call_arch_prctl(struct record *r)
{
	/* GS is the engine's; a shadow stack would not follow our returns. */
	if (r->rdi == ARCH_SET_GS)
		return -EPERM;
	if (r->rdi == ARCH_SHSTK_ENABLE)
		return -EOPNOTSUPP;
	return call_through(r);
}

void dispatch_prepare(void)
{
	dispatch_add(__NR_rt_sigaction, call_rt_sigaction);
	dispatch_add(__NR_rt_sigprocmask, call_rt_sigprocmask);
	dispatch_add(__NR_rt_sigreturn, call_rt_sigreturn);
	dispatch_add(__NR_sigaltstack, call_sigaltstack);
	dispatch_add(__NR_rt_sigpending, call_rt_sigpending);
	dispatch_add(__NR_rt_sigtimedwait, call_rt_sigtimedwait);
	dispatch_add(__NR_rt_sigsuspend, call_rt_sigsuspend);
	dispatch_add(__NR_ppoll, call_ppoll);
	dispatch_add(__NR_pselect6, call_pselect6);
	dispatch_add(__NR_epoll_pwait, call_epoll_pwait);
	dispatch_add(441, call_epoll_pwait);	/* epoll_pwait2 */
	dispatch_add(__NR_clone, call_clone);
	dispatch_add(__NR_fork, call_fork);
	dispatch_add(__NR_vfork, call_vfork);
	dispatch_add(435, call_clone3);
	dispatch_add(__NR_exit, call_exit);
	dispatch_add(__NR_execve, call_execve);
	dispatch_add(__NR_execveat, call_execveat);
	dispatch_add(__NR_ptrace, call_ptrace);
	dispatch_add(__NR_prctl, call_prctl);
	dispatch_add(__NR_arch_prctl, call_arch_prctl);
	filters_add();
	/* io_uring would open and connect behind our back; programs then turn
	 * to epoll. */
	for (unsigned int nr = 425; nr <= 427; nr++)
		dispatch_add(nr, call_refused);
	code_files_add();
	if (engine.policy.clock_on)
		clock_add();
	identity_add();
	files_add();
	views_add();
	sysctl_add();
	loopback_add();
	network_add();
	hardware_add();
	rtnetlink_add();
	users_add();
	quick_add();
}

static long install(const struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = { n, (struct sock_filter *)(uintptr_t)code };
	long result;

	result = SYS(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	if (result == 0)
		return 0;
	SYS(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return SYS(__NR_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

#define FIELD(name) offsetof(struct seccomp_data, name)
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(field))
#define LOAD_HIGH(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, FIELD(field) + 4)
#define IS(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define LEAST(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, value, yes, no)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, what)

/* The kernel gives the address behind the call. */
#define GATE_FIRST (GATE_START + 2)
#define GATE_LAST (GATE_START + GATE_SIZE)

static long filter_all(void)
{
	static const struct sock_filter code[] = {
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD_HIGH(instruction_pointer),
		IS((uint32_t)(GATE_START >> 32), 0, 3),
		LOAD(instruction_pointer),
		LEAST((uint32_t)GATE_LAST, 1, 0),
		LEAST((uint32_t)GATE_FIRST, 1, 0),
		RETURN(SECCOMP_RET_TRAP),
		RETURN(SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code) / sizeof(code[0]));
}

/*
 * Where the vsyscall page executes, its calls are made by the kernel, which
 * dispatches them by no selector, but does ask seccomp. By number first: the
 * kernel then knows which calls this never concerns.
 */
static long filter_vsyscall(void)
{
	static const struct sock_filter code[] = {
		LOAD(nr),
		IS(__NR_gettimeofday, 3, 0),
		IS(__NR_time, 2, 0),
		IS(__NR_getcpu, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(arch),
		IS(AUDIT_ARCH_X86_64, 0, 5),
		LOAD_HIGH(instruction_pointer),
		IS((uint32_t)(VSYSCALL_PAGE >> 32), 0, 3),
		LOAD(instruction_pointer),
		LEAST((uint32_t)VSYSCALL_PAGE, 0, 1),
		RETURN(SECCOMP_RET_TRAP),
		RETURN(SECCOMP_RET_ALLOW),
	};

	return install(code, sizeof(code) / sizeof(code[0]));
}

long dispatch_on(void)
{
	static bool first = true;
	bool is_first = first;

	first = false;
	if (is_first && engine.policy.vsyscall && !engine.vsyscall_filter &&
	    !engine.traps_by_seccomp)
		engine.vsyscall_filter = filter_vsyscall() == 0;
	if (!engine.traps_by_seccomp)
		return SYS(__NR_prctl, PR_SET_SYSCALL_USER_DISPATCH,
			   PR_SYS_DISPATCH_ON, GATE_START, GATE_SIZE, 0);
	if (!is_first || engine.filter_inherited)
		return 0;
	engine.filter_inherited = true;
	return filter_all();
}
