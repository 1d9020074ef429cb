/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that one of the engine's signals met, which somebody sent (waits.c). */
#ifndef TRANSHIP_ENGINE_WAITS_H
#define TRANSHIP_ENGINE_WAITS_H

#include "thread.h"

/* waits_interrupt() - the kernel begins calls anew that it would have ended by EINTR,
 * had it the program's handler of @sig: that of the engine has SA_RESTART. @c is where
 * the signal met the thread, and becomes the end of the call. */
void waits_interrupt(struct thread *t, int sig, const siginfo_t *info,
		     struct sigcontext *c);
/* waits_go_on() - the program is told of no signal that it blocks or ignores: what
 * waits for ever goes on. The signal met the thread at @ip, and @c by now is what the
 * program sees. */
void waits_go_on(struct thread *t, struct sigcontext *c, unsigned long ip);

#endif
