// SPDX-License-Identifier: Apache-2.0
/*
 * Calls of the program that one of the engine's signals ended, which somebody sent, as
 * the kernel has its handler for them all the time: whether they end depends on what
 * the program has.
 */
#include <linux/futex.h>

#include "gate.h"
#include "held.h"
#include "signals.h"
#include "waits.h"

#define EPOLL_PWAIT2 441

/* Calls that only a signal or what they wait for ends, or a point of time. */
static bool waits_for_ever(unsigned long nr, unsigned long second,
			   unsigned long third, unsigned long fourth,
			   unsigned long fifth)
{
	switch (nr) {
	case __NR_pause:
	case __NR_rt_sigsuspend:
	case __NR_semop:
	case __NR_msgsnd:
	case __NR_msgrcv:
		return true;
	case __NR_clock_nanosleep:
		return second & TIMER_ABSTIME;
	case __NR_futex:
		return (second & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
	case __NR_poll:
		return (int)third < 0;
	case __NR_epoll_wait:
	case __NR_epoll_pwait:
		return (int)fourth < 0;
	case __NR_ppoll:
	case __NR_rt_sigtimedwait:
		return third == 0;
	case __NR_semtimedop:
	case EPOLL_PWAIT2:
		return fourth == 0;
	case __NR_select:
	case __NR_pselect6:
	case __NR_io_getevents:
		return fifth == 0;
	default:
		return false;
	}
}

void waits_go_on(struct thread *t, struct sigcontext *c, unsigned long ip)
{
	const struct record *r = t->record;

	if (c->rax != (unsigned long)-EINTR || held_ready(t))
		return;
	if (ip == (unsigned long)gate_pass_after &&
	    waits_for_ever(t->number, c->rsi, c->rdx, c->r10, c->r8)) {
		c->rip = t->stub->site;
		c->rax = t->number;
	} else if (ip == (unsigned long)gate_app_syscall + 2 &&
		   waits_for_ever(r->nr, r->rsi, r->rdx, r->r10, r->r8)) {
		c->rax = (unsigned long)RESTART;
	}
}

void waits_interrupt(struct thread *t, int sig, const siginfo_t *info,
		     struct sigcontext *c)
{
	unsigned long ip = c->rip, operation = c->rsi & FUTEX_CMD_MASK;

	if (ip != (unsigned long)gate_pass_syscall &&
	    ip != (unsigned long)gate_app_syscall &&
	    ip != (unsigned long)gate_tail_syscall)
		return;
	/* `syscall` was executed: it leaves that there. */
	if (c->rcx != ip + 2 || !held_comes(t, sig, info) ||
	    signal_action(t->sighand, sig)->sa_flags & SA_RESTART)
		return;
	/* These are begun anew whatever the handler wants. */
	if (c->rax == __NR_futex && (operation == FUTEX_LOCK_PI ||
				     operation == FUTEX_LOCK_PI2 ||
				     operation == FUTEX_WAIT_REQUEUE_PI))
		return;
	c->rip = ip + 2;
	c->rax = (unsigned long)-EINTR;
}
