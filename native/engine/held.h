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
/* held_ready() - something is kept that the thread does not block (any more). */
bool held_ready(struct thread *t);
/* held_missed() - behind a @sig that an instruction caused: while that waited to be
 * delivered, one that told this thread of what is kept for the process was lost, as
 * one of a kind can wait. It is told again. */
void held_missed(struct thread *t, int sig);
/* held_release() - gives that back to the kernel, as pending for this thread,
 * and tells what. All signals have to be blocked. */
set_t held_release(struct thread *t);
/* held_note() - in a hook: what is ready comes when the hook ends. */
void held_note(struct thread *t);
/* held_forget() - the program ignores @sig now. */
void held_forget(int sig);
/* held_forked() - the child of fork() has none. */
void held_forked(struct thread *t);
/* held_execve() - execve(2), over which the kernel keeps what is pending and
 * blocked. */
long held_execve(const char *file, unsigned long argv, unsigned long envp);

/* The program's calls. */
long call_rt_sigpending(struct record *r);
long call_rt_sigtimedwait(struct record *r);

#endif
