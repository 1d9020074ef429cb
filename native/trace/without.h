/* SPDX-License-Identifier: Apache-2.0 */
/* What older kernels lack. Each is found out when it is first used; tests
 * switch it off, for no such kernel can be had (--without). */
#ifndef TRANSHIP_TRACE_WITHOUT_H
#define TRANSHIP_TRACE_WITHOUT_H

#include <stdbool.h>

struct without {
	bool seize;		/* PTRACE_SEIZE, LISTEN: 3.4 */
	bool exit_kill;		/* PTRACE_O_EXITKILL: 3.8 */
	bool vm_readv;		/* process_vm_readv(): 3.2 */
	bool syscall_info;	/* PTRACE_GET_SYSCALL_INFO: 5.3 */
	bool pidfd;		/* pidfd_getfd(): 5.6 */
	bool openat2;		/* 5.6 */
	bool faccessat2;	/* 5.8 */
	bool sync_wake_up;	/* of the listener: 6.6 */
};

extern struct without without;

/* without_parse() - names, separated by commas; false for an unknown one. */
bool without_parse(const char *list);

#endif
