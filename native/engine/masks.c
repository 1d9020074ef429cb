// SPDX-License-Identifier: Apache-2.0
/* Calls that change dispositions or masks: the engine's signals stay open. */
#include "gate.h"
#include "held.h"
#include "pending.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

#define SA_KNOWN (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | \
		  SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_RESTORER | 0x800)

long call_rt_sigaction(struct record *r)
{
	struct thread *t = thread_self();
	int sig = (int)r->rdi;
	struct sigaction new, old;
	long result = 0;

	if (r->r10 != sizeof(set_t) || sig < 1 || sig > SIGNALS)
		return -EINVAL;
	if (r->rsi && (sig == SIGKILL || sig == SIGSTOP))
		return -EINVAL;
	if (r->rsi && copy_bytes(&new, (void *)r->rsi, sizeof(new)) < 0)
		return -EFAULT;
	sighand_lock(t->sighand);
	old = *signal_action(t->sighand, sig);
	if (r->rsi) {
		new.sa_flags &= SA_KNOWN;
		new.sa_mask &= ~(SIGBIT(SIGKILL) | SIGBIT(SIGSTOP));
		t->sighand->action[sig - 1] = new;
		if (!(OWN_SIGNALS & SIGBIT(sig)))
			result = signal_kernel_action(sig, &new);
		if (result < 0)
			t->sighand->action[sig - 1] = old;
	}
	sighand_unlock(t->sighand);
	if (r->rsi && (OWN_SIGNALS & SIGBIT(sig)) && SIG_IS(&new, SIG_IGN))
		pending_forget(t, sig);
	if (result == 0 && r->rdx)
		result = copy_bytes((void *)r->rdx, &old, sizeof(old));
	return result;
}

static set_t own_after(set_t own, long how, set_t set)
{
	if (how == SIG_BLOCK)
		return own | (set & OWN_SIGNALS);
	if (how == SIG_UNBLOCK)
		return own & ~set;
	return set & OWN_SIGNALS;
}

long call_rt_sigprocmask(struct record *r)
{
	struct thread *t = thread_self();
	set_t set = 0, kernel, old = 0, own = t->own_blocked;
	bool given = r->rsi != 0;
	long result;

	if (r->r10 != sizeof(set_t) || (given && r->rdi > SIG_SETMASK))
		return -EINVAL;
	if (given && copy_bytes(&set, (void *)r->rsi, sizeof(set)) < 0)
		return -EFAULT;
	kernel = signals_unblocked(set);
	result = gate_app(__NR_rt_sigprocmask, (long)r->rdi,
			  given ? (long)&kernel : 0, (long)&old, sizeof(set_t),
			  0, 0);
	if (result < 0)
		return result;
	if (given)
		t->own_blocked = own_after(own, (long)r->rdi, set);
	if (given && held_ready(t))
		held_note(t);
	old |= own;
	if (r->rdx && copy_bytes((void *)r->rdx, &old, sizeof(old)) < 0)
		return -EFAULT;
	return 0;
}

/* A call that waits with another mask: @mask is the program's pointer. */
static bool begin_wait(struct thread *t, unsigned long mask, set_t *copy)
{
	if (copy_bytes(copy, (void *)mask, sizeof(*copy)) < 0)
		return false;
	t->temporary_mask = *copy;
	*copy = signals_unblocked(*copy);
	t->temporary = true;
	return true;
}

/* What is kept, and open now, ends the wait before it begins. */
static bool already_here(struct thread *t)
{
	if (!t->temporary || !held_ready(t))
		return false;
	held_note(t);
	return true;
}

static long end_wait(struct thread *t, long result)
{
	/* A signal that came before the wait, or behind it, came under the other
	 * mask: only what ended it came under this one. */
	if (result != -EINTR || !t->pending)
		t->temporary = false;
	return result;
}

long call_rt_sigsuspend(struct record *r)
{
	struct thread *t = thread_self();
	set_t mask;

	if (r->rsi != sizeof(set_t))
		return -EINVAL;
	if (!begin_wait(t, r->rdi, &mask))
		return -EFAULT;
	if (already_here(t))
		return -EINTR;
	return end_wait(t, gate_app(__NR_rt_sigsuspend, (long)&mask,
				    sizeof(mask), 0, 0, 0, 0));
}

/* ppoll, epoll_pwait and epoll_pwait2 differ in where the mask stands. */
static long wait_with(struct record *r, unsigned long *mask, unsigned long size)
{
	struct thread *t = thread_self();
	unsigned long was = *mask;
	set_t copy;
	long result;

	if (was && size == sizeof(set_t)) {
		if (!begin_wait(t, was, &copy))
			return -EFAULT;
		if (already_here(t))
			return -EINTR;
		*mask = (unsigned long)&copy;
	}
	result = gate_app((long)r->nr, (long)r->rdi, (long)r->rsi,
			  (long)r->rdx, (long)r->r10, (long)r->r8, (long)r->r9);
	*mask = was;
	return was ? end_wait(t, result) : result;
}

long call_ppoll(struct record *r)
{
	return wait_with(r, &r->r10, r->r8);
}

long call_epoll_pwait(struct record *r)
{
	return wait_with(r, &r->r8, r->r9);
}

long call_pselect6(struct record *r)
{
	struct { unsigned long mask, size; } pair = { 0, 0 };
	unsigned long was = r->r9;
	struct thread *t = thread_self();
	set_t copy;
	long result;

	if (was && copy_bytes(&pair, (void *)was, sizeof(pair)) < 0)
		return -EFAULT;
	if (pair.mask && pair.size == sizeof(set_t)) {
		if (!begin_wait(t, pair.mask, &copy))
			return -EFAULT;
		if (already_here(t))
			return -EINTR;
		pair.mask = (unsigned long)&copy;
	}
	result = gate_app(__NR_pselect6, (long)r->rdi, (long)r->rsi,
			  (long)r->rdx, (long)r->r10, (long)r->r8,
			  was ? (long)&pair : 0);
	return pair.mask ? end_wait(t, result) : result;
}
