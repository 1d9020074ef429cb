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

#endif
