/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_TRAPS_H
#define TRANSHIP_ENGINE_TRAPS_H

#include "thread.h"

/* si_code of a SIGSYS by a seccomp filter. */
#define SYS_SECCOMP_CODE 1

/* traps_answer() - signal @sig that an instruction caused: true where it was the
 * engine's, and nothing is left to do. */
bool traps_answer(struct thread *t, int sig, const siginfo_t *info,
		  struct sigcontext *c);

/* traps_swallowed() - @sig came from elsewhere, and met the thread at @c. Where the kernel
 * dropped a trap for what was sent, @c becomes the way into the gate, or back to the
 * jump. */
void traps_swallowed(struct thread *t, int sig, struct sigcontext *c);

#endif
