/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the tracer and the task it serves on one processor. */
#ifndef TRANSHIP_TRACE_NEAR_H
#define TRANSHIP_TRACE_NEAR_H

#include <stdbool.h>
#include <sys/types.h>

/* near_init() - @keep where no task outlives the tracer. */
void near_init(bool keep);
/* near_event() - the next stop to be answered is one of @pid. */
void near_event(pid_t pid);
/* near_gone() - @pid has ended. */
void near_gone(pid_t pid);
/* near_tick() - from time to time: gives every task its own mask. */
void near_tick(void);
/* near_resume() - ptrace(@how, @pid, 0, @sig); where @may, so that @pid runs
 * here next. */
void near_resume(int how, pid_t pid, int sig, bool may);

#endif
