// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "environment.h"
#include "logs.h"
#include "process.h"
#include "schedule.h"
#include "schedules.h"
#include "spawn.h"
#include "talk.h"
#include "users.h"

static const struct plan *plan;
static pid_t *pids;		/* 0: does not run */
static struct cron_clock clock_seen;
static long long next_minute;	/* monotonic; 0: not begun yet */

void schedules_init(const struct plan *p)
{
	plan = p;
	pids = calloc(plan->schedule_count + 1, sizeof(*pids));
	if (!pids)
		die("out of memory");
}

static void run_schedule(size_t i)
{
	const struct schedule_plan *is = &plan->schedules[i];
	const struct program *p = &plan->programs[is->program];
	struct launch l = { .argv = p->command.list, .out = -1, .err = -1,
			    .session = true, .cwd = *p->cwd ? p->cwd : NULL };
	struct environment env = { 0 };
	static struct user user;
	char problem[4352], name[64];

	if (pids[i]) {
		say("schedule %s is due, but still runs: skipped", is->name);
		return;
	}
	snprintf(name, sizeof(name), "schedule:%s", is->name);
	l.in = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (*p->user)
		l.user = &user;
	if (l.user && user_lookup(p->user, &user, problem,
				  sizeof(problem)) < 0)
		goto out;
	environment_build(&env, plan, p, l.user);
	l.envp = env.list;
	snprintf(problem, sizeof(problem), "cannot make pipes");
	if (logs_to_file() && (!logs_add(name, 1, &l.out) ||
			       !logs_add(name, 2, &l.err)))
		goto out;
	pids[i] = launch(&l, problem, sizeof(problem));
	if (pids[i] < 0)
		pids[i] = 0;
out:
	if (!pids[i])
		say("schedule %s: %s", is->name, problem);
	if (l.out >= 0)
		close(l.out);
	if (l.err >= 0)
		close(l.err);
	if (l.in >= 0)
		close(l.in);
	environment_free(&env);
}

void schedules_step(long long now)
{
	bool first = next_minute == 0;
	struct timespec t;
	long long minute;
	size_t i;

	if (plan->schedule_count == 0 || now < next_minute)
		return;
	clock_gettime(CLOCK_REALTIME, &t);
	minute = local_minute(t.tv_sec);
	next_minute = now + (60 - t.tv_sec % 60) * 1000 -
		t.tv_nsec / 1000000 + 1;
	if (first)
		clock_seen = (struct cron_clock){ minute, minute };
	for (i = 0; i < plan->schedule_count; i++) {
		const struct cron *c = &plan->schedules[i].cron;

		if (c->flags & CRON_AT_START ? first :
		    !first && minute != clock_seen.last &&
		    cron_due(c, &clock_seen, minute))
			run_schedule(i);
	}
	cron_advance(&clock_seen, minute);
}

long long schedules_next(void)
{
	return next_minute;
}

void schedules_reaped(pid_t pid, int status)
{
	size_t i;

	for (i = 0; i < plan->schedule_count; i++) {
		if (pids[i] != pid)
			continue;
		pids[i] = 0;
		if (status)
			say("schedule %s ended with status %d",
			    plan->schedules[i].name, WIFSIGNALED(status) ?
			    128 + WTERMSIG(status) : WEXITSTATUS(status));
	}
}

void schedules_stop(void)
{
	size_t i;

	for (i = 0; i < plan->schedule_count; i++)
		if (pids[i])
			processes_of_session(pids[i], SIGTERM);
}
