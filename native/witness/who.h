/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who did it: the program of a process, and whether it is one of those meant
 * (roots and all that descends from them, a session, a cgroup).
 */
#ifndef TRANSHIP_WITNESS_WHO_H
#define TRANSHIP_WITNESS_WHO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum membership { WHO_INSIDE, WHO_OUTSIDE, WHO_GONE };

struct who {
	enum membership membership;
	const char *program;	/* valid until the next call */
	size_t program_n;
};

/* All three may be given several times; a process is meant if one matches.
 * who_cgroup() takes a path as in /proc/PID/cgroup; all below it is meant. */
void who_root(pid_t pid);
void who_session(pid_t sid);
void who_cgroup(const char *path);

/* who_init() - @proc is an open /proc. */
void who_init(int proc);
/* who_exec() - @pid is about to run another program. */
void who_exec(pid_t pid);
/* who_tick() - what is known may be old by now: ask again. */
void who_tick(void);
struct who who_is(pid_t pid);

#endif
