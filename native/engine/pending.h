/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of the engine's signals what is kept for the program: one of each for a thread, in
 * its `held`, and for the process. A child of vfork() is a process of its own in this
 * memory, and has its thread's alone.
 */
#ifndef TRANSHIP_ENGINE_PENDING_H
#define TRANSHIP_ENGINE_PENDING_H

#include "thread.h"

/* Its set alone may be read without the lock. */
extern struct held pending_process;

/* pending_lock() - around the next three, with all signals blocked: the mask as it
 * was, for pending_unlock(). */
set_t pending_lock(void);
void pending_unlock(set_t old);
/* pending_put() - dropped where one of its kind is there. */
void pending_put(struct held *h, int sig, const siginfo_t *info);
/* pending_take() - the first of @set, taken out, with @info; 0 where there is none. */
int pending_take(struct held *h, set_t set, siginfo_t *info);
/* pending_take_any() - likewise, the thread's or else the process's. */
int pending_take_any(struct thread *t, set_t set, siginfo_t *info);

/* pending_of() - what the thread might be told of, blocked or not. */
set_t pending_of(struct thread *t);
/* pending_forget() - the process of @t ignores @sig now. */
void pending_forget(struct thread *t, int sig);
/* pending_forked() - the child of fork() has none. */
void pending_forked(struct thread *t);

#endif
