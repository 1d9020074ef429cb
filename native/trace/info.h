/* SPDX-License-Identifier: Apache-2.0 */
/* The call that a stopped task is in, as ptrace tells it. */
#ifndef TRANSHIP_TRACE_INFO_H
#define TRANSHIP_TRACE_INFO_H

#include "task.h"

#define INFO_ENTRY 1
#define INFO_EXIT 2
#define INFO_SECCOMP 3

/* As PTRACE_GET_SYSCALL_INFO fills it. */
struct syscall_info {
	uint8_t op;
	uint8_t pad[3];
	uint32_t arch;
	uint64_t ip;
	uint64_t sp;
	uint64_t nr;		/* the result, at an exit */
	uint64_t args[6];
	uint32_t ret_data;
};

/* info_get() - at a stop for a call; false where the task is gone. */
bool info_get(const struct task *t, struct syscall_info *info);
/* info_by_regs() - at any stop; @result is what the call has returned. */
bool info_by_regs(const struct task *t, struct syscall_info *info,
		  int64_t *result);
int32_t info_result(const struct task *t, bool *ok);
/* info_again() - at the end of a call: it is made again. */
void info_again(const struct task *t);
/* info_skip() - before a call: it is not made, and returns EINTR; false where
 * that failed. At its end info_again() still knows it. */
bool info_skip(struct task *t);
/* info_set_result() - what the call returns instead. */
void info_set_result(const struct task *t, int64_t result);

#endif
