/* SPDX-License-Identifier: Apache-2.0 */
/* What this start of the engine is told, and what it found out. */
#ifndef TRANSHIP_ENGINE_ENGINE_H
#define TRANSHIP_ENGINE_ENGINE_H

#include "clock-page.h"
#include "policy.h"
#include "sys.h"

/* How the engine ends where it cannot start the program. */
#define EXIT_ENGINE 125		/* the engine itself is at fault, or is misused */
#define EXIT_NOT_STARTED 126	/* it is no program, or must not be started */
#define EXIT_NOT_FOUND 127
/* For the caller to turn to another engine: */
#define EXIT_I386 122		/* a 32-bit program */
#define EXIT_SET_ID 123		/* it would change user, group or capabilities */
#define EXIT_NO_DISPATCH 124	/* this kernel lets nobody catch calls */

struct engine {
	bool traps_by_seccomp;	/* instead of Syscall User Dispatch */
	bool filter_inherited;	/* it is already in force */
	bool vsyscall_filter;	/* in force: the vsyscall page traps */
	struct policy policy;
	const struct clock_page *clock_page;	/* of it, as it is now */
	const char *log;	/* directory for what led where; NULL = none */
	const char *path;	/* of the engine's own file */
	char **options;		/* as given, to be passed on by execve() */
	unsigned int option_count;
};

extern struct engine engine;

/* engine_die() - says it on stderr and ends with @status. */
_Noreturn void engine_die(int status, const char *what, const char *value);

#endif
