/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_DISPATCH_H
#define TRANSHIP_ENGINE_DISPATCH_H

#include "gate.h"
#include "thread.h"

/* dispatch_prepare() - which calls hook() gets. */
void dispatch_prepare(void);
/* dispatch_on() - from here on this thread's calls trap, but for the gate's.
 * 0 or -errno. Every thread has to do it (seccomp: the first one only). */
long dispatch_on(void);

/* Elements and life cycle: each answers one call of the program. */
typedef long call_fn(struct record *r);
/* What answers each, NULL = the kernel. The gate looks here. */
extern call_fn *calls[CALLS];
/* dispatch_add() - @fn answers call @nr. */
void dispatch_add(unsigned int nr, call_fn *fn);
/* dispatch_get() - what answers it so far. */
call_fn *dispatch_get(unsigned int nr);
/* dispatch_judge() - from now on @fn gets each of these calls, and asks who answers
 * it by dispatch_get(). */
void dispatch_judge(call_fn *fn);
/* As the program asked it. */
long call_through(struct record *r);
/* What answered the calls that an element took over: the first of its places in
 * one list for all. Few calls of each, so one of its own would be nearly empty,
 * and each page that a start touches costs it as much as some calls. */
struct before {
	unsigned int first;
};
/* dispatch_note() - @b gets what answers call @nr. */
void dispatch_note(struct before *b, unsigned int nr);
/* dispatch_over() - @fn answers call @nr; @b gets what did so far. */
void dispatch_over(struct before *b, unsigned int nr, call_fn *fn);
/* call_before() - as it was answered then. */
long call_before(const struct before *b, struct record *r);

call_fn call_clone, call_fork, call_vfork, call_clone3, call_exit, call_execve,
	call_execveat, call_ptrace;
/* clock_add(), identity_add() - where the policy wants them. */
void clock_add(void);
void identity_add(void);

#endif
