/* SPDX-License-Identifier: Apache-2.0 */
/* What a call means: at its entry, and at its exit where that is needed. */
#ifndef TRANSHIP_TRACE_ENTER_H
#define TRANSHIP_TRACE_ENTER_H

#include "task.h"

struct entry {
	bool i386;
	bool x32;
	uint64_t nr;
	uint64_t arg[6];
};

/* call_enter() - true where the result must be seen. */
bool call_enter(struct task *t, const struct entry *e);
/* call_may_sleep() - whether the kernel can interrupt this call, which changes
 * nothing, while it runs. */
bool call_may_sleep(struct task *t, const struct call *c,
		    const struct entry *e);
/* call_exit() - @result as the task gets it (negative errno). */
void call_exit(struct task *t, int32_t result);
/* call_broken() - the task ended inside the call. */
void call_broken(struct task *t);
/* call_executed() - the exec of @t has succeeded. */
void call_executed(struct task *t);

#endif
