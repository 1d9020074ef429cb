/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's signals that somebody sent, while the program blocks them or a
 * hook runs: what the kernel would keep pending (held.c).
 */
#ifndef TRANSHIP_ENGINE_HELD_H
#define TRANSHIP_ENGINE_HELD_H

#include "thread.h"

/* held_arrived() - @sig, one of the engine's, was sent and met this thread. True
 * where the program has to be told now: @info is then what it is told. Else it
 * is kept; where @inside, a hook runs, also what the program does not block. */
bool held_arrived(struct thread *t, int sig, siginfo_t *info, bool inside);
/* held_comes() - @sig, likewise, is going to be handled. */
bool held_comes(struct thread *t, int sig, const siginfo_t *info);
/* held_again() - @sig, one of the engine's, was sent and met signal_entry() itself: it
 * comes again when that returns. It is not blocked until then, as signal_entry() may
 * meet bad pointers. */
void held_again(struct thread *t, int sig, const siginfo_t *info);
/* held_return() - called by the gate where signal_entry() returns to @uc, and has to. */
void held_return(const struct ucontext *uc);
/* held_ready() - something is kept that the thread does not block (any more). */
bool held_ready(struct thread *t);
/* held_missed() - behind a @sig that an instruction caused: while that waited to be
 * delivered, a nudge may have been lost, as one of a kind can wait. The thread is
 * told again of what is kept, or another where this one blocks it by now. */
void held_missed(struct thread *t, int sig);
/* held_release() - makes that pending in the kernel for this thread, by nudges, and
 * tells what. All signals have to be blocked; @info of each comes by held_arrived(). */
set_t held_release(struct thread *t);
/* held_ending() - the thread ends, all signals blocked: what the process has, and this
 * thread was told of, is for others. */
void held_ending(struct thread *t);
/* held_note() - in a hook: what is ready comes when the hook ends. */
void held_note(struct thread *t);
/* held_execve() - execve(2), over which the kernel keeps what is pending and
 * blocked. */
long held_execve(const char *file, unsigned long argv, unsigned long envp);

/* The program's calls. */
long call_rt_sigpending(struct record *r);
long call_rt_sigtimedwait(struct record *r);

#endif
