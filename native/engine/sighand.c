// SPDX-License-Identifier: Apache-2.0
/*
 * Dispositions and masks: what the program set, what the kernel has of it. The kernel
 * gets one handler for all that the program handles (signals.c), and only what was
 * asked for is known of the rest.
 */
#include "gate.h"
#include "signals.h"
#include "sys.h"
#include "text.h"

/* Blocked while signal_entry() runs: it may meet bad pointers itself. */
#define ENTRY_MASK (~(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS)))

void sighand_lock(struct sighand *s)
{
	while (__atomic_exchange_n(&s->lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
}

void sighand_unlock(struct sighand *s)
{
	__atomic_store_n(&s->lock, 0, __ATOMIC_RELEASE);
}

void sighand_copy(struct sighand *to, struct sighand *from)
{
	sighand_lock(from);
	memcpy(to->action, from->action, sizeof(to->action));
	to->known = from->known;
	sighand_unlock(from);
	to->lock = 0;
}

set_t signals_unblocked(set_t mask)
{
	return mask & ~OWN_SIGNALS;
}

set_t signals_block(void)
{
	set_t all = ~0UL, old = 0;

	SYS(__NR_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof(old));
	return old;
}

void signals_set(set_t mask)
{
	SYS(__NR_rt_sigprocmask, SIG_SETMASK, &mask, 0, sizeof(mask));
}

long signal_kernel_action(int sig, const struct sigaction *action)
{
	struct sigaction kernel = *action;

	if (!SIG_IS(action, SIG_DFL) && !SIG_IS(action, SIG_IGN)) {
		kernel.sa_handler = (__sighandler_t)(void *)signal_entry;
		kernel.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTORER |
			(action->sa_flags &
			 (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT));
		kernel.sa_restorer = gate_restore;
		kernel.sa_mask = ENTRY_MASK;
	}
	return SYS(__NR_rt_sigaction, sig, &kernel, 0, sizeof(set_t));
}

struct sigaction *signal_action(struct sighand *s, int sig)
{
	struct sigaction *a = &s->action[sig - 1];

	/* What the process was started with, as nothing else was set since. */
	if (!(s->known & SIGBIT(sig)))
		SYS(__NR_rt_sigaction, sig, 0, a, sizeof(set_t));
	s->known |= SIGBIT(sig);
	return a;
}

static const int own[] = { SIGSYS, SIGSEGV, SIGBUS, SIGTRAP };

static void take_over(int sig)
{
	struct sigaction handled = { .sa_flags = SA_RESTART };

	handled.sa_handler = (__sighandler_t)(void *)signal_entry;
	signal_kernel_action(sig, &handled);
}

void signals_ignore(struct thread *t, bool on)
{
	/* What other threads do until they end may be caught by these. */
	if (many_threads && !t->vfork_child)
		return;
	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		const struct sigaction *a = signal_action(t->sighand, own[i]);

		if (SIG_IS(a, SIG_IGN) && on)
			signal_kernel_action(own[i], a);
		else if (SIG_IS(a, SIG_IGN))
			take_over(own[i]);
	}
}

void signals_start(struct thread *t)
{
	set_t mask = 0;

	for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		signal_action(t->sighand, own[i]);
		take_over(own[i]);
	}
	t->tid = (int)SYS(__NR_gettid);
	SYS(__NR_rt_sigprocmask, SIG_SETMASK, 0, &mask, sizeof(mask));
	t->own_blocked = mask & OWN_SIGNALS;
	if (t->own_blocked)
		signals_set(signals_unblocked(mask));
}
