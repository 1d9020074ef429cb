/* SPDX-License-Identifier: Apache-2.0 */
/* What is done at each stop of a task. */
#ifndef TRANSHIP_TRACE_STOP_H
#define TRANSHIP_TRACE_STOP_H

#include "enter.h"
#include "info.h"
#include "loop.h"

/* What the child that will be CMD says by an access() no program makes. */
#define HELLO_POINTER ((uintptr_t)-0x7472)
#define HELLO_MODE 0x7261
#define HELLO_NNP 1

/* stop_hello() - whether @info is that call, which is then answered for. */
bool stop_hello(struct task *t, const struct syscall_info *info);
struct entry stop_entry(const struct syscall_info *info);
/* stop_enter() - call_enter() of what @info tells. */
bool stop_enter(struct task *t, const struct syscall_info *info);
/* stop_resume() - lets @t run, with signal @sig. */
void stop_resume(const struct loop *loop, struct task *t, int sig);
/* stop_handle() - @status as wait() gave it; resumes @t or leaves it stopped
 * as it would be untraced. */
void stop_handle(const struct loop *loop, struct task *t, int status);

#endif
