/* SPDX-License-Identifier: Apache-2.0 */
/* The wait loop over all tasks. */
#ifndef TRANSHIP_TRACE_LOOP_H
#define TRANSHIP_TRACE_LOOP_H

#include <stdbool.h>
#include <sys/types.h>

/* What the child that will be CMD says by an access() no program makes. */
#define HELLO_POINTER ((uintptr_t)-0x7472)
#define HELLO_MODE 0x7261
#define HELLO_NNP 1

struct loop {
	pid_t cmd;
	bool plain;
	bool use_regs;	/* no PTRACE_GET_SYSCALL_INFO: registers are read */
};

/* loop_run() - until no task is left; returns the wait status of CMD. */
int loop_run(struct loop *loop);

#endif
