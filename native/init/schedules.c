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

#define SAME_RATE 1000

/* How fast the clock runs, as seen from one look to the next: an application's
 * may pass an hour in a minute (docs/guide/elements.md). */
static struct {
	long long real, monotonic;	/* milliseconds, at the last look */
	long long rate;			/* a second of the host, in thousandths */
} pace = { .rate = SAME_RATE };

#define FIRST_LOOK 1000
#define SHORTEST_LOOK 10

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

static void take_pace(const struct timespec *t, long long now)
{
	long long real = t->tv_sec * 1000LL + t->tv_nsec / 1000000;
	long long passed = now - pace.monotonic;

	/* One that was set seems fast until the next look, which is early. */
	if (pace.monotonic && passed > 0)
		pace.rate = (real - pace.real) * SAME_RATE / passed;
	pace.real = real;
	pace.monotonic = now;
}

/* Milliseconds to the next minute. */
static long long to_minute(const struct timespec *t)
{
	long long left = (60 - t->tv_sec % 60) * 1000 - t->tv_nsec / 1000000;

	if (pace.rate > SAME_RATE)
		left = left * SAME_RATE / pace.rate;
	return left < SHORTEST_LOOK ? SHORTEST_LOOK : left + 1;
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
	take_pace(&t, now);
	next_minute = now + to_minute(&t);
	if (first && next_minute > now + FIRST_LOOK)
		next_minute = now + FIRST_LOOK;
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
