// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdlib.h>

#include "die.h"
#include "resolve.h"
#include "signals.h"
#include "stop.h"
#include "stopped.h"

static pid_t *stopped;
static size_t stopped_n, stopped_room;

void stopped_keep(struct task *t)
{
	if (stopped_n == stopped_room) {
		size_t room = stopped_room ? stopped_room * 2 : 64;
		pid_t *more = realloc(stopped, room * sizeof(*more));

		if (!more)
			die("out of memory");
		stopped = more;
		stopped_room = room;
	}
	stopped[stopped_n++] = t->pid;
}

static bool continues(pid_t pid)
{
	/* A new SIGSTOP has taken the SIGCONT before it out of the queue. */
	return signals_pending(pid) & (1ULL << (SIGCONT - 1) |
					 1ULL << (SIGSTOP - 1) |
					 1ULL << (SIGTSTP - 1));
}

static void go_on(const struct loop *loop, pid_t tgid)
{
	size_t kept = 0;

	for (size_t i = 0; i < stopped_n; i++) {
		struct task *t = task_find(stopped[i]);

		if (t && task_tgid(t) == tgid)
			stop_resume(loop, t, 0);
		else if (t)
			stopped[kept++] = stopped[i];
	}
	stopped_n = kept;
}

bool stopped_look(const struct loop *loop)
{
	for (size_t i = 0; i < stopped_n; i++) {
		struct task *t = task_find(stopped[i]);

		if (t && !continues(t->pid))
			continue;
		/* The signal may wait for one thread and frees all. */
		go_on(loop, t ? task_tgid(t) : 0);
		break;
	}
	return stopped_n > 0;
}
