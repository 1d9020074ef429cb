// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. Tracer and task never run at the same time, yet the scheduler wakes
 * each on another, idle processor if there is one. In a virtual machine such
 * a wake-up costs twenty times the switch on one processor. ptrace has no way
 * to say "wake it here", so in a burst of stops of one task the tracer stays
 * on its processor and allows the task only this one. The task's own mask is
 * given back when another task stops, and at the latest after 0.2 s; where
 * tasks outlive the tracer, before it waits again.
 *
 * The task must never see that: sched_getaffinity(), sched_setaffinity() and
 * every kind of fork are therefore stops themselves, before which the mask is
 * given back; a task that has opened a status file of /proc is left alone from
 * then on. Every so often the tracer lets go of its processor, in case another
 * has become free.
 */
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>

#include "near.h"
#include "record.h"

#define BURST 3
#define LOOK_AROUND 1024

static bool many;
static cpu_set_t home;	/* where the tracer may run */
static cpu_set_t here;
static bool pinned;
static int cpu;		/* the one it is pinned to */
static pid_t last;
static unsigned run;
static bool keeps;	/* a mask may stay changed while the tracer waits */
static pid_t held;	/* whose mask is changed */
static cpu_set_t theirs;

void near_init(bool keep)
{
	keeps = keep;
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

/* A mask that somebody else has set meanwhile stays as it is. */
static void give_back(void)
{
	cpu_set_t now;

	if (held && sched_getaffinity(held, sizeof(now), &now) == 0 &&
	    CPU_EQUAL(&now, &here))
		sched_setaffinity(held, sizeof(theirs), &theirs);
	held = 0;
}

void near_event(pid_t pid)
{
	if (!many)
		return;
	if (pid != last) {
		give_back();
		last = pid;
		run = 0;
		unpin();
		return;
	}
	run++;
	if (run % LOOK_AROUND == 0) {
		give_back();
		unpin();
	} else if (!pinned && run >= BURST) {
		pin();
	}
}

void near_gone(pid_t pid)
{
	if (held == pid)
		held = 0;
}

void near_tick(void)
{
	give_back();
}

static void hold(pid_t pid)
{
	if (sched_getaffinity(pid, sizeof(theirs), &theirs) == 0 &&
	    CPU_COUNT(&theirs) > 1 && CPU_ISSET(cpu, &theirs) &&
	    sched_setaffinity(pid, sizeof(here), &here) == 0)
		held = pid;
}

void near_resume(int how, pid_t pid, int sig, bool may)
{
	if (held && (!may || pid != held))
		give_back();
	if (!held && may && pinned && pid == last) {
		hold(pid);
		if (held && keeps)
			record_timer();
	}
	ptrace(how, pid, NULL, (void *)(intptr_t)sig);
	if (!keeps)
		give_back();
}
