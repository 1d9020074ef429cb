// SPDX-License-Identifier: Apache-2.0
/*
 * SIGSYS, SIGSEGV, SIGBUS and SIGTRAP are open in the kernel all the time. Where
 * they are sent, not caused, and the program blocks them, they are kept here, as
 * struct sigpending of the kernel: one of each for a thread (tgkill) and for the
 * process (kill). What the process has goes to any thread that does not block
 * it, which is nudged by a signal with a code of our own: only the kernel may
 * send what kill() sends.
 * Inside of a hook all of them are kept until its end, so that no pointer of the
 * program's is met while they are blocked.
 */
#include "gate.h"
#include "held.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

#define EVERY (~0UL)
#define SI_TKILL_CODE (-6)
#define NUDGE (-0x7453)

static struct held process;
static unsigned int lock;

static set_t enter(void)
{
	set_t old = signals_block();

	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
	return old;
}

static void leave(set_t old)
{
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	signals_set(old);
}

static siginfo_t *place(struct held *h, int sig)
{
	switch (sig) {
	case SIGTRAP:
		return &h->info[0];
	case SIGBUS:
		return &h->info[1];
	case SIGSEGV:
		return &h->info[2];
	default:
		return &h->info[3];
	}
}

static void put(struct held *h, int sig, const siginfo_t *info)
{
	if (h->set & SIGBIT(sig))
		return; /* as the kernel: one of each */
	*place(h, sig) = *info;
	__atomic_fetch_or(&h->set, SIGBIT(sig), __ATOMIC_SEQ_CST);
}

/* The first of @set that is kept, taken out; 0 where none is. */
static int take(struct held *h, set_t set, siginfo_t *info)
{
	static const int order[] = { SIGTRAP, SIGBUS, SIGSEGV, SIGSYS };

	for (unsigned int i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!(h->set & set & SIGBIT(order[i])))
			continue;
		*info = *place(h, order[i]);
		__atomic_fetch_and(&h->set, ~SIGBIT(order[i]),
				   __ATOMIC_SEQ_CST);
		return order[i];
	}
	return 0;
}

/* A child of vfork() is a process of its own in this memory. */
static int take_any(struct thread *t, set_t set, siginfo_t *info)
{
	int sig = take(&t->held, set, info);

	return sig || t->vfork_child ? sig : take(&process, set, info);
}

static set_t kept(struct thread *t)
{
	set_t own = __atomic_load_n(&t->held.set, __ATOMIC_SEQ_CST);

	return t->vfork_child ? own :
		own | __atomic_load_n(&process.set, __ATOMIC_SEQ_CST);
}

static set_t blocked_by(const struct thread *t)
{
	return t->temporary ? t->temporary_mask : t->own_blocked;
}

bool held_ready(struct thread *t)
{
	/* The mask was set before this looks: see pass_on(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (kept(t) & ~blocked_by(t)) != 0;
}

/* Another thread that takes what this one blocks. */
static void pass_on(struct thread *t, int sig)
{
	siginfo_t nudge = { 0 };

	nudge.si_signo = sig;
	nudge.si_code = NUDGE;
	for (struct thread *o = thread_all(); o; o = o->next) {
		if (o == t || !__atomic_load_n(&o->in_use, __ATOMIC_ACQUIRE) ||
		    o->vfork_child || !o->tid)
			continue;
		if (!((~blocked_by(o) | o->waits_for) & SIGBIT(sig)))
			continue;
		if (SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid), o->tid, sig,
			&nudge) == 0)
			return;
	}
}

bool held_arrived(struct thread *t, int sig, siginfo_t *info, bool inside)
{
	bool nudged = info->si_code == NUDGE, blocked, of_thread;
	set_t old = enter();

	blocked = (blocked_by(t) & SIGBIT(sig)) != 0;
	of_thread = !blocked || t->vfork_child ||
		    info->si_code == SI_TKILL_CODE;
	/* What it was nudged for may be another thread's by now. */
	if (nudged && (blocked || !take(&process, SIGBIT(sig), info))) {
		leave(old);
		return false;
	}
	if (blocked || inside)
		put(of_thread ? &t->held : &process, sig, info);
	leave(old);
	if (!of_thread)
		pass_on(t, sig);
	return !blocked && !inside;
}

void held_missed(struct thread *t, int sig)
{
	siginfo_t nudge = { 0 };
	set_t waits = __atomic_load_n(&process.set, __ATOMIC_SEQ_CST);

	if (t->vfork_child || !(waits & ~blocked_by(t) & SIGBIT(sig)))
		return;
	nudge.si_signo = sig;
	nudge.si_code = NUDGE;
	SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid), SYS(__NR_gettid), sig,
	    &nudge);
}

set_t held_release(struct thread *t)
{
	set_t open = ~blocked_by(t), released = 0;
	siginfo_t info;
	int sig;

	while (kept(t) & open) {
		set_t old = enter();

		sig = take_any(t, open, &info);
		leave(old);
		if (!sig)
			break;
		released |= SIGBIT(sig);
		SYS(__NR_rt_tgsigqueueinfo, SYS(__NR_getpid),
		    SYS(__NR_gettid), sig, &info);
	}
	return released;
}

void held_note(struct thread *t)
{
	set_t old = signals_block();

	if (!t->pending)
		t->saved_mask = old;
	t->pending = 1;
	signals_set(~OWN_SIGNALS);
}

void held_forget(int sig)
{
	set_t old = enter();

	for (struct thread *t = thread_all(); t; t = t->next)
		__atomic_fetch_and(&t->held.set, ~SIGBIT(sig),
				   __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&process.set, ~SIGBIT(sig), __ATOMIC_SEQ_CST);
	leave(old);
}

void held_forked(struct thread *t)
{
	t->held.set = 0;
	t->tid = (int)SYS(__NR_gettid);
	process.set = 0;
	lock = 0;
}

long held_execve(const char *file, unsigned long argv, unsigned long envp)
{
	struct thread *t = thread_self();
	set_t own = t->own_blocked, old = 0;
	siginfo_t info;
	long result;
	int sig;

	if (!own)
		return gate_app(__NR_execve, (long)file, (long)argv, (long)envp,
				0, 0, 0);
	SYS(__NR_rt_sigprocmask, SIG_BLOCK, &own, 0, sizeof(own));
	while (kept(t) & own) {
		old = enter();
		sig = take_any(t, own, &info);
		leave(old);
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
	set |= kept(t) & t->own_blocked;
	return copy_bytes((void *)r->rdi, &set, r->rsi);
}

/* The kernel's wait takes what arrives meanwhile; before it is asked what is
 * kept. A signal between the two makes the call begin anew (gate_app). */
static long wait_for(struct thread *t, const struct record *r, set_t set,
		     siginfo_t *info)
{
	long result;

	for (;;) {
		set_t old = enter();
		int sig = take_any(t, set & OWN_SIGNALS, info);

		t->waits_for = sig ? 0 : set & OWN_SIGNALS;
		leave(old);
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
