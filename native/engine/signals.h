/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_SIGNALS_H
#define TRANSHIP_ENGINE_SIGNALS_H

#include "thread.h"

#define SIG_IS(action, special) \
	((unsigned long)(action)->sa_handler == (unsigned long)(special))

/* Signals that are the engine's, never blocked and never the kernel's default:
 * the trap of a call, bad pointers, the vsyscall page, a site being patched. */
#define OWN_SIGNALS (SIGBIT(SIGSYS) | SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | \
		     SIGBIT(SIGTRAP))

/* signals_start() - takes over the engine's signals, before the program starts. */
void signals_start(struct thread *t);
/* signals_unblocked() - @mask as the kernel may have it. */
set_t signals_unblocked(set_t mask);
/* signals_block() - blocks everything, the engine's too, and tells what was
 * blocked: no pointer of the program's may be used then; signals_set() puts a mask in force. */
set_t signals_block(void);
void signals_set(set_t mask);
/* signals_ignore() - what the program ignores of the engine's signals is ignored in
 * the kernel, too, or (@on false) no more: execve() keeps that. */
void signals_ignore(struct thread *t, bool on);
/* sighand_copy(), sighand_lock(): for clone.c. */
void sighand_copy(struct sighand *to, struct sighand *from);
void sighand_lock(struct sighand *s);
void sighand_unlock(struct sighand *s);

/* signal_entry() - the kernel's handler. */
void signal_entry(int sig, siginfo_t *info, void *context);
/* signal_action() - a signal's disposition as the program believes it to be. */
struct sigaction *signal_action(struct sighand *s, int sig);
/* signal_kernel_action() - puts @action of the program in force for @sig in
 * the kernel, in whatever form the engine needs. */
long signal_kernel_action(int sig, const struct sigaction *action);

/* in_signal_entry() - @c lies on the stack of signals. */
static inline bool in_signal_entry(const struct thread *t,
				   const struct sigcontext *c)
{
	return c->rsp - (unsigned long)t->signal_stack <= SIGNAL_STACK;
}

/* The program's calls. */
long call_rt_sigaction(struct record *r);
long call_rt_sigprocmask(struct record *r);
long call_rt_sigreturn(struct record *r);
long call_sigaltstack(struct record *r);
long call_rt_sigsuspend(struct record *r);
long call_ppoll(struct record *r);
long call_pselect6(struct record *r);
long call_epoll_pwait(struct record *r);

/* deliver.c: the frame for the program's handler. */
struct signal_frame {
	void *pretcode;
	struct ucontext uc;
	siginfo_t info;
};

/* deliver() - @frame is the kernel's, with the program's state already in it.
 * After it, returning from that frame starts the program's handler for @sig,
 * with @blocked, the engine's among them, and what the handler asks blocked. */
void deliver(struct thread *t, int sig, struct signal_frame *frame,
	     set_t blocked);

#endif
