/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks in the stop of their group, on kernels without SEIZE.
 *
 * Theory. A kernel without SEIZE (before 3.4) gives a new task a SIGSTOP, which
 * is taken away, and marks the stop of a group only by having no siginfo for
 * it. Such a task is left in its stop; whoever continues it leaves a SIGCONT
 * pending, which is looked for now and then.
 */
#ifndef TRANSHIP_TRACE_STOPPED_H
#define TRANSHIP_TRACE_STOPPED_H

#include "loop.h"
#include "task.h"

void stopped_keep(struct task *t);
/* stopped_look() - without PTRACE_LISTEN a stopped process does not tell that
 * it may go on: those who may are resumed. True while there are any that
 * wait. */
bool stopped_look(const struct loop *loop);

#endif
