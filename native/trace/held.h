/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks that stand still until their question is answered.
 *
 * Theory. All others are served meanwhile: the tracer waits for its tasks and
 * for answers at once, with SIGCHLD let through only inside ppoll(), so that
 * none is overslept. A signal for a task that waits is looked for now and then:
 * the call is left, the signal delivered, and the call begins anew and asks
 * again, or fails where the signal asks for an end.
 */
#ifndef TRANSHIP_TRACE_HELD_H
#define TRANSHIP_TRACE_HELD_H

#include "loop.h"
#include "seen.h"
#include "task.h"

/* held_start() - from now on SIGCHLD ends held_wait(). False: nobody is there
 * to answer. */
bool held_start(void);
/* hold() - @t waits for the answer to @question, which @key stands for. */
void hold(struct task *t, uint32_t question, struct seen_key key);
/* held_wait() - until a task has an event or a signal has come, or not at all
 * where @idle is false; tasks whose answer is there are resumed. */
void held_wait(const struct loop *loop, bool idle);

#endif
