/* SPDX-License-Identifier: Apache-2.0 */
/* The wait loop over all tasks. */
#ifndef TRANSHIP_TRACE_LOOP_H
#define TRANSHIP_TRACE_LOOP_H

#include <stdbool.h>
#include <sys/types.h>

enum mode {
	MODE_SECCOMP,	/* a filter stops the calls that are looked at */
	MODE_NOTIFY,	/* ... and tells of those that change nothing */
	MODE_PLAIN,	/* every call stops */
};

struct loop {
	pid_t cmd;
	enum mode mode;
	bool calls;	/* tell every call, see record_call() */
};

/* loop_run() - until no task is left; returns the wait status of CMD. */
int loop_run(struct loop *loop);

#endif
