// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "process.h"
#include "readiness.h"
#include "service-launch.h"
#include "service.h"
#include "talk.h"

#define LONGEST_BACKOFF 60000
#define RAN_WELL 60000		/* after so long, attempts count anew */
#define LEFTOVER_PAUSE 20

const char *const state_names[] = { "idle", "waiting", "starting", "running",
				    "backoff", "stopping", "exited",
				    "failed" };
bool services_changed = true;

long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void enter(struct service *s, enum state state)
{
	s->state = state;
	s->next = -1;
	services_changed = true;
	debug("service %s: %s", s->is->name, state_names[state]);
}

bool service_alive(const struct service *s)
{
	return s->state == STATE_STARTING || s->state == STATE_RUNNING ||
		s->state == STATE_STOPPING;
}

void service_init(struct service *s, const struct plan *plan,
		  const struct service_plan *is)
{
	*s = (struct service){ .plan = plan, .is = is, .next = -1 };
	s->state = is->startup == STARTUP_AUTO ? STATE_WAITING : STATE_IDLE;
}

/* It ended, by itself or by our doing, and is not to be stopped: what now? */
static void ended(struct service *s, bool failure)
{
	long long now = now_ms(), pause;
	unsigned int i;

	readiness_end(s);
	processes_of_session(s->session, SIGKILL);
	if (s->ready && now - s->since >= RAN_WELL)
		s->attempts = 0;
	s->pid = 0;
	s->session = 0;
	s->ready = false;
	if (s->is->policy == RESTART_NO ||
	    (s->is->policy == RESTART_ON_FAILURE && !failure) ||
	    (s->is->attempts != PLAN_NO_END &&
	     s->attempts >= s->is->attempts)) {
		s->given_up = true;
		enter(s, failure ? STATE_FAILED : STATE_EXITED);
		/* An end that is no failure is in state.json; whoever runs one
		 * program wants its words, not ours. */
		if (failure || s->attempts)
			say("service %s ended with status %d%s", s->is->name,
			    s->status, s->attempts ? ", too often" : "");
		return;
	}
	pause = s->is->backoff;
	for (i = 0; i < s->attempts && pause < LONGEST_BACKOFF; i++)
		pause *= 2;
	if (pause > LONGEST_BACKOFF)
		pause = LONGEST_BACKOFF;
	s->attempts++;
	say("service %s ended with status %d, starts again in %lld ms",
	    s->is->name, s->status, pause);
	enter(s, STATE_BACKOFF);
	s->next = now + pause;
}

void service_start(struct service *s)
{
	const struct program *p = &s->plan->programs[s->is->program];
	const char *wrong;
	int error;

	if (s->state == STATE_BACKOFF)
		s->restarts++;
	if (s->is->type == TYPE_FORKING && unlink(s->is->pid_file) == 0)
		debug("removed the old %s", s->is->pid_file);
	s->launched = false;
	s->timed_out = false;
	s->signal = 0;
	s->since = now_ms();
	wrong = readiness_begin(s);
	enter(s, STATE_STARTING);
	if (wrong) {
		complain("service %s: readiness.log: %s", s->is->name, wrong);
		error = 125;
		s->pid = -1;
	} else {
		s->pid = service_launch(s, &p->command, true, &error);
	}
	if (s->pid < 0) {
		s->pid = 0;
		s->status = error;
		ended(s, true);
		return;
	}
	s->session = s->pid;
	s->deadline = s->since + s->is->ready_timeout;
	s->next = s->since;
}

void service_ready(struct service *s)
{
	readiness_end(s);
	s->ready = true;
	s->was_ready = true;
	enter(s, STATE_RUNNING);
}

/* The daemon that the pid file names, once it is a child of ours. */
static bool adopt(struct service *s)
{
	cleanup_fd int fd = open(s->is->pid_file, O_RDONLY | O_CLOEXEC |
				 O_NONBLOCK);
	pid_t pid, parent, session;
	char text[32];
	long n;

	if (fd < 0)
		return false;
	n = read_all(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	pid = atoi(text);
	if (pid <= 1 || !process_family(pid, &parent, &session) ||
	    parent != getpid())
		return false;
	s->pid = pid;
	s->session = session > 1 && session != getsid(0) ? session : pid;
	s->pause = 5;
	services_changed = true;
	return true;
}

static void too_late(struct service *s)
{
	complain("service %s was not ready within %u ms", s->is->name,
		 s->is->ready_timeout);
	s->timed_out = true;
	if (s->pid) {
		/* A data base may be in the middle of its recovery. */
		kill(s->pid, s->is->stop_signal);
		s->deadline = now_ms() + s->is->stop_timeout;
		s->next = s->deadline;
		return;
	}
	s->status = 125;
	ended(s, true);
}

/* What was not ready in time has not ended by its signal either. */
static void step_timed_out(struct service *s)
{
	say("service %s did not stop within %u ms: killed", s->is->name,
	    s->is->stop_timeout);
	s->next = -1;
	service_kill(s);
}

static void step_starting(struct service *s, long long now)
{
	bool forking = s->is->type == TYPE_FORKING;

	if (s->timed_out) {
		step_timed_out(s);
		return;
	}
	if (s->is->type == TYPE_ONESHOT) {
		s->next = -1;
		return;
	}
	if (forking && !s->launched) {
		s->next = s->deadline;
	} else if (forking && !s->pid && !adopt(s)) {
		s->next = now + 10;
	} else {
		readiness_look(s, now);
		if (s->state != STATE_STARTING)
			return;
		if (s->next < 0 || s->next > s->deadline)
			s->next = s->deadline;
	}
	if (now >= s->deadline)
		too_late(s);
}

static void step_stopping(struct service *s, long long now)
{
	int left;

	if (now >= s->deadline && s->deadline >= 0) {
		say("service %s did not stop within %u ms: killed",
		    s->is->name, s->is->stop_timeout);
		service_kill(s);
		s->deadline = -1;
	}
	if (!s->pid) {
		left = processes_of_session(s->session, s->deadline < 0 ?
					    SIGKILL : s->asked ? 0 : SIGTERM);
		s->asked = true;
		if (left == 0) {
			s->session = 0;
			enter(s, STATE_EXITED);
			return;
		}
	}
	if (!s->pid)
		s->next = now + LEFTOVER_PAUSE;
	else
		s->next = s->deadline;
}

void service_step(struct service *s, long long now)
{
	if (s->next < 0 || now < s->next)
		return;
	if (s->state == STATE_STARTING)
		step_starting(s, now);
	else if (s->state == STATE_STOPPING)
		step_stopping(s, now);
	else if (s->state == STATE_BACKOFF)
		service_start(s);
}

void service_stop(struct service *s)
{
	int error;

	if (s->state == STATE_STOPPING)
		return;
	if (!service_alive(s)) {
		if (s->state == STATE_WAITING || s->state == STATE_BACKOFF)
			enter(s, STATE_EXITED);
		return;
	}
	readiness_end(s);
	enter(s, STATE_STOPPING);
	s->ready = false;
	s->asked = false;
	s->deadline = now_ms() + s->is->stop_timeout;
	s->next = s->pid ? s->deadline : 0;
	if (!s->pid)
		return;
	if (s->is->stop_command.count > 0) {
		s->stopper = service_launch(s, &s->is->stop_command, false,
					    &error);
		if (s->stopper > 0)
			return;
		s->stopper = 0;
	}
	kill(s->pid, s->is->stop_signal);
}

void service_kill(struct service *s)
{
	if (s->pid)
		kill(s->pid, SIGKILL);
	processes_of_session(s->session, SIGKILL);
	if (s->stopper)
		processes_of_session(s->stopper, SIGKILL);
	if (s->probe)
		processes_of_session(s->probe, SIGKILL);
}

static void main_reaped(struct service *s, int wait_status)
{
	s->pid = 0;
	s->signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	s->status = s->signal ? 128 + s->signal : WEXITSTATUS(wait_status);
	services_changed = true;
	if (s->state == STATE_STOPPING) {
		s->next = 0;
		return;
	}
	if (s->timed_out) {
		s->status = 125;
		s->signal = 0;
		ended(s, true);
		return;
	}
	if (s->status == 0 && s->is->type == TYPE_FORKING && !s->launched) {
		s->launched = true;
		s->next = 0;
		return;
	}
	if (s->status == 0 && s->is->type == TYPE_ONESHOT) {
		/* What it left running is what it was for. */
		s->session = 0;
		s->ready = true;
		s->was_ready = true;
		enter(s, STATE_EXITED);
		return;
	}
	ended(s, s->status != 0);
}

bool service_reaped(struct service *s, pid_t pid, int wait_status)
{
	if (pid == s->probe) {
		readiness_probed(s, wait_status);
		return true;
	}
	if (pid == s->stopper) {
		s->stopper = 0;
		if (wait_status != 0 && s->pid) {
			say("service %s: stop.command failed, sending "
			    "signal %d", s->is->name, s->is->stop_signal);
			kill(s->pid, s->is->stop_signal);
		}
		return true;
	}
	if (pid != s->pid)
		return false;
	main_reaped(s, wait_status);
	return true;
}
