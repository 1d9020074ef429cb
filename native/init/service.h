/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One service and its life.
 *
 *	WAITING -> STARTING -> RUNNING -> STOPPING -> EXITED
 *	              |  ^        |
 *	              v  |        v
 *	           BACKOFF <------+-----> FAILED | EXITED (given up, or meant)
 *
 * service_step() and service_reaped() are the only ones that change a state.
 * What it means for the others is the business of order.c and supervise.c.
 */
#ifndef TRANSHIP_INIT_SERVICE_H
#define TRANSHIP_INIT_SERVICE_H

#include <regex.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "plan.h"

enum state { STATE_IDLE, STATE_WAITING, STATE_STARTING, STATE_RUNNING,
	     STATE_BACKOFF, STATE_STOPPING, STATE_EXITED, STATE_FAILED };

struct service {
	const struct plan *plan;
	const struct service_plan *is;
	enum state state;
	pid_t pid;		/* main process; 0: none (any more) */
	pid_t session;		/* of its processes; 0: none */
	pid_t probe;		/* readiness.exec while it runs */
	pid_t stopper;		/* stop.command while it runs */
	bool was_ready;		/* at least once */
	bool ready;
	bool launched;		/* forking: the first process has ended well */
	bool timed_out;		/* not ready in time: its end is a failure */
	bool asked;		/* stopping: leftovers got their SIGTERM */
	bool given_up;		/* ended for good, on its own */
	int status;		/* of its last end; 128 + n on a signal */
	int signal;
	unsigned int restarts;	/* all, for the record */
	unsigned int attempts;	/* since it last ran well */
	long long deadline;	/* all times: monotonic milliseconds */
	long long next;		/* when to look again; -1: no need to */
	long long since;	/* start of the present process */
	long long pause;	/* between two looks at readiness */
	bool had_file;		/* readiness.file as it was before */
	struct stat file;
	regex_t pattern;
	bool has_pattern;
};

extern const char *const state_names[];

long long now_ms(void);
bool service_alive(const struct service *s);
void service_init(struct service *s, const struct plan *plan,
		  const struct service_plan *is);

/* service_start() - WAITING or BACKOFF to STARTING, or at once to an end */
void service_start(struct service *s);
/* service_step() - what time brings: readiness, deadlines, restarts */
void service_step(struct service *s, long long now);
void service_stop(struct service *s);
/* service_kill() - SIGKILL for all that belongs to it */
void service_kill(struct service *s);
/* service_reaped() - Return: whether @pid was one of its processes */
bool service_reaped(struct service *s, pid_t pid, int wait_status);
/* service_ready() - from readiness, with nothing more to check */
void service_ready(struct service *s);

/* services_changed - state.json is out of date */
extern bool services_changed;

#endif
