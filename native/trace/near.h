/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping the tracer and the task it serves on one processor. */
#ifndef TRANSHIP_TRACE_NEAR_H
#define TRANSHIP_TRACE_NEAR_H

#include <stdbool.h>
#include <sys/types.h>

void near_init(void);
/* near_event() - the next stop to be answered is one of @pid. */
void near_event(pid_t pid);
/* near_resume() - ptrace(@how, @pid, 0, @sig); where @may, so that @pid runs
 * here next. */
void near_resume(int how, pid_t pid, int sig, bool may);

#endif
