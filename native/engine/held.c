// SPDX-License-Identifier: Apache-2.0
/*
 * SIGSYS, SIGSEGV, SIGBUS and SIGTRAP are open in the kernel all the time. Where
 * they are sent, not caused, and the program blocks them, they are kept
 * (pending.c), for a thread (tgkill) or for the process (kill). What the process
 * has goes to any thread that does not block it, which is nudged by a signal with
 * a code of our own: only the kernel may send what kill() sends.
 * Inside of a hook all of them are kept until its end, so that no pointer of the
 * program's is met while they are blocked.
 * What is kept stays so until a nudge has arrived. The kernel has room for one of
 * a number for each thread and drops the next: where that is a nudge it is no loss,
 * as the one before it takes whatever is kept; sent as itself it would be lost.
 */
#include "gate.h"
#include "held.h"
#include "pending.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

#define SI_TKILL_CODE (-6)
#define NUDGE (-0x7453)

static set_t blocked_by(const struct thread *t)
{
	return t->temporary ? t->temporary_mask : t->own_blocked;
}

static int first_of(set_t set)
{
	return __builtin_ctzl(set) + 1;
}

bool held_ready(struct thread *t)
{
	/* The mask was set before this looks: see pass_on(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (pending_of(t) & ~blocked_by(t)) != 0;
}

/* Tells a thread of ours that @sig is kept for it or for the process. */
static bool nudge(long tid, int sig)
{
	siginfo_t info = { 0 };

	info.si_signo = sig;
	info.si_code = NUDGE;
	return SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid), tid, sig,
		   &info) == 0;
}

/* Another thread that takes what this one blocks. */
static void pass_on(struct thread *t, int sig)
{
	for (struct thread *o = thread_all(); o; o = o->next) {
		if (o == t || !__atomic_load_n(&o->in_use, __ATOMIC_ACQUIRE) ||
		    o->vfork_child || !o->tid)
			continue;
		if (!((~blocked_by(o) | o->waits_for) & SIGBIT(sig)))
			continue;
		if (nudge(o->tid, sig))
			return;
	}
}

/* Whom the process's went to takes them no more, as in the kernel's
 * retarget_shared_pending(). */
static void retarget(struct thread *t, set_t set)
{
	set &= __atomic_load_n(&pending_process.set, __ATOMIC_SEQ_CST);
	for (; set && !t->vfork_child; set &= set - 1)
		pass_on(t, first_of(set));
}

/* Where it belongs. */
static struct held *of(struct thread *t, const siginfo_t *info)
{
	return t->vfork_child || info->si_code == SI_TKILL_CODE ?
		&t->held : &pending_process;
}

bool held_arrived(struct thread *t, int sig, siginfo_t *info, bool inside)
{
	set_t old = pending_lock();
	bool blocked = (blocked_by(t) & SIGBIT(sig)) != 0, there;
	const struct sigaction *a = signal_action(t->sighand, sig);

	/* What it was nudged for may be another thread's by now. */
	there = info->si_code != NUDGE ||
		pending_take_any(t, SIGBIT(sig), info);
	/* Blocked, it may be handled by the time it comes. */
	if (!blocked && SIG_IS(a, SIG_IGN))
		there = false;
	/* The process's stays so: the hook may be one that blocks it. */
	if (there && (blocked || inside))
		pending_put(of(t, info), sig, info);
	pending_unlock(old);
	if (blocked)
		retarget(t, SIGBIT(sig));
	return there && !blocked && !inside;
}

void held_again(struct thread *t, int sig, const siginfo_t *info)
{
	set_t old = pending_lock();

	if (info->si_code != NUDGE)
		pending_put(of(t, info), sig, info);
	pending_unlock(old);
	t->again |= (unsigned int)SIGBIT(sig);
}

void held_return(const struct ucontext *uc)
{
	struct thread *t = thread_self();
	unsigned int again;

	/* It returns into signal_entry(), which returns by here too. */
	if (in_signal_entry(t, &uc->uc_mcontext))
		return;
	/* Blocked until the mask of what it returns to. */
	signals_block();
	again = t->again;
	t->again = 0;
	for (; again; again &= again - 1)
		nudge(SYS(__NR_gettid), first_of(again));
}

bool held_comes(struct thread *t, int sig, const siginfo_t *info)
{
	const struct sigaction *a = signal_action(t->sighand, sig);

	return !(blocked_by(t) & SIGBIT(sig)) && !SIG_IS(a, SIG_IGN) &&
	       (info->si_code != NUDGE || pending_of(t) & SIGBIT(sig));
}

void held_missed(struct thread *t, int sig)
{
	if (!(pending_of(t) & SIGBIT(sig)))
		return;
	if (blocked_by(t) & SIGBIT(sig))
		retarget(t, SIGBIT(sig));
	else
		nudge(SYS(__NR_gettid), sig);
}

set_t held_release(struct thread *t)
{
	set_t open = ~blocked_by(t), released, old;
	siginfo_t info;
	int sig;

	retarget(t, ~open);
	if (!(pending_of(t) & open))
		return 0;
	old = pending_lock();
	/* What the process has is this thread's from here on. */
	while (!t->vfork_child &&
	       (sig = pending_take(&pending_process, open & ~t->held.set,
				   &info)) != 0)
		pending_put(&t->held, sig, &info);
	released = t->held.set & open;
	pending_unlock(old);
	for (set_t left = released; left; left &= left - 1)
		nudge(SYS(__NR_gettid), first_of(left));
	return released;
}

void held_ending(struct thread *t)
{
	t->own_blocked = OWN_SIGNALS;
	t->temporary = false;
	/* Who keeps one for the process from here on passes this thread by. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	retarget(t, OWN_SIGNALS);
}

void held_note(struct thread *t)
{
	set_t old = signals_block();

	if (!t->pending)
		t->saved_mask = old;
	t->pending = 1;
	signals_set(~OWN_SIGNALS);
}

/* With what is kept, and blocked, pending in the kernel. */
static long execute(struct thread *t, const char *file, unsigned long argv,
		    unsigned long envp)
{
	set_t own = t->own_blocked, old = 0;
	siginfo_t info;
	long result;
	int sig;

	if (!own)
		return gate_app(__NR_execve, (long)file, (long)argv, (long)envp,
				0, 0, 0);
	SYS(__NR_rt_sigprocmask, SIG_BLOCK, &own, 0, sizeof(own));
	while (pending_of(t) & own) {
		old = pending_lock();
		sig = pending_take_any(t, own, &info);
		pending_unlock(old);
		if (!sig)
			break;
		SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid),
		    SYS(__NR_gettid), sig, &info);
	}
	result = gate_app(__NR_execve, (long)file, (long)argv, (long)envp, 0,
			  0, 0);
	/* It failed: what is pending comes back to us. */
	SYS(__NR_rt_sigprocmask, SIG_UNBLOCK, &own, 0, sizeof(own));
	return result;
}

long held_execve(const char *file, unsigned long argv, unsigned long envp)
{
	struct thread *t = thread_self();
	long result;

	/* First, as the kernel forgets what is pending then. */
	signals_ignore(t, true);
	result = execute(t, file, argv, envp);
	signals_ignore(t, false);
	return result;
}

long call_rt_sigpending(struct record *r)
{
	struct thread *t = thread_self();
	set_t set = 0;
	long result;

	if (r->rsi > sizeof(set))
		return -EINVAL;
	result = SYS(__NR_rt_sigpending, &set, sizeof(set));
	if (result < 0)
		return result;
	set |= pending_of(t) & t->own_blocked;
	return copy_bytes((void *)r->rdi, &set, r->rsi);
}

/* The kernel's wait takes what arrives meanwhile; before it is asked what is
 * kept. A signal between the two makes the call begin anew (gate_app). */
static long wait_for(struct thread *t, const struct record *r, set_t set,
		     siginfo_t *info)
{
	long result;

	for (;;) {
		set_t old = pending_lock();
		int sig = pending_take_any(t, set & OWN_SIGNALS, info);

		t->waits_for = sig ? 0 : set & OWN_SIGNALS;
		pending_unlock(old);
		if (sig)
			return sig;
		result = gate_app(__NR_rt_sigtimedwait, (long)&set, (long)info,
				  (long)r->rdx, sizeof(set), 0, 0);
		t->waits_for = 0;
		if (result <= 0 || !(OWN_SIGNALS & SIGBIT(result)) ||
		    info->si_code != NUDGE)
			return result;
	}
}

long call_rt_sigtimedwait(struct record *r)
{
	siginfo_t info;
	set_t set;
	long result;

	if (r->r10 != sizeof(set))
		return -EINVAL;
	if (copy_bytes(&set, (void *)r->rdi, sizeof(set)) < 0)
		return -EFAULT;
	result = wait_for(thread_self(), r, set, &info);
	if (result > 0 && r->rsi &&
	    copy_bytes((void *)r->rsi, &info, sizeof(info)) < 0)
		return -EFAULT;
	return result;
}
