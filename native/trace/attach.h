/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming the tracer of the process that will run CMD. */
#ifndef TRANSHIP_TRACE_ATTACH_H
#define TRANSHIP_TRACE_ATTACH_H

#include "loop.h"

/* attach() - by SEIZE where the kernel has it; kills @pid and dies where it
 * cannot be traced. @kills: all traced processes end with the tracer. */
void attach(pid_t pid, enum mode mode, bool kills);

#endif
