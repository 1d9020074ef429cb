// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Tracer and task never run at the same time, yet the scheduler wakes
 * each on another, idle processor if there is one. In a virtual machine such
 * a wake-up costs twenty times the switch on one processor. ptrace has no way
 * to say "wake it here", so in a burst of stops of one task the tracer stays
 * on its processor and, for the moment of the resume, allows the stopped task
 * only this one. Its mask is given back before the tracer waits again.
 *
 * The task must never see that: it can only look in the moment between resume
 * and giving back. sched_getaffinity(), sched_setaffinity() and every kind of
 * fork are therefore stops themselves, resumed without this; a task that has
 * opened a status file of /proc is left alone from then on. Every so often
 * the tracer lets go of its processor, in case another has become free.
 */
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>

#include "near.h"

#define BURST 3
#define LOOK_AROUND 1024

static bool many;
static cpu_set_t home;	/* where the tracer may run */
static cpu_set_t here;
static bool pinned;
static int cpu;		/* the one it is pinned to */
static pid_t last;
static unsigned run;

void near_init(void)
{
	many = sched_getaffinity(0, sizeof(home), &home) == 0 &&
	       CPU_COUNT(&home) > 1;
}

static void unpin(void)
{
	if (pinned)
		sched_setaffinity(0, sizeof(home), &home);
	pinned = false;
}

static void pin(void)
{
	cpu = sched_getcpu();
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&here);
	CPU_SET(cpu, &here);
	pinned = sched_setaffinity(0, sizeof(here), &here) == 0;
}

void near_event(pid_t pid)
{
	if (!many)
		return;
	if (pid != last) {
		last = pid;
		run = 0;
		unpin();
		return;
	}
	run++;
	if (run % LOOK_AROUND == 0)
		unpin();
	else if (!pinned && run >= BURST)
		pin();
}

void near_resume(int how, pid_t pid, int sig, bool may)
{
	cpu_set_t theirs;
	bool moved = may && pinned && pid == last &&
		     sched_getaffinity(pid, sizeof(theirs), &theirs) == 0 &&
		     CPU_COUNT(&theirs) > 1 && CPU_ISSET(cpu, &theirs) &&
		     sched_setaffinity(pid, sizeof(here), &here) == 0;

	ptrace(how, pid, NULL, (void *)(intptr_t)sig);
	if (moved)
		sched_setaffinity(pid, sizeof(theirs), &theirs);
}
