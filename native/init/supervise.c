// SPDX-License-Identifier: Apache-2.0
/*
 * All services of a package: start in order, watch, stop in reverse.
 *
 * Theory: one loop, no threads. A turn lets every service take its step, acts
 * on what changed (dependents may start, an essential one has ended), writes
 * state.json if need be, and waits for a signal, for output, or for the
 * earliest of all deadlines.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "die.h"
#include "health.h"
#include "logs.h"
#include "modes.h"
#include "order.h"
#include "process.h"
#include "record.h"
#include "schedules.h"
#include "service.h"
#include "sockets.h"
#include "spawn.h"
#include "talk.h"

#define ORPHAN_GRACE 2000
#define MOST_POLLED 1100
#define SYSTEMD_HALT 37		/* SIGRTMIN+3, as the GNU C library counts */

struct supervisor {
	const struct plan *plan;
	struct service *services;
	size_t count;
	int signals;
	bool ready;
	bool stopping;
	bool killing;		/* asked twice */
	bool decided;		/* status is settled */
	int status, signal;
	char reason[160];
};

static void begin_stop(struct supervisor *v, const char *reason)
{
	if (v->stopping)
		return;
	v->stopping = true;
	services_changed = true;
	snprintf(v->reason, sizeof(v->reason), "%s", reason);
	debug("stopping: %s", reason);
	schedules_stop();
}

static void decide(struct supervisor *v, const struct service *s)
{
	if (v->decided)
		return;
	v->status = s->status;
	v->signal = s->signal;
}

/* An essential service that ended for good takes the instance with it. */
static void look_for_end(struct supervisor *v)
{
	bool lasting = false, alive = false;
	char reason[160];
	size_t i;

	for (i = 0; i < v->count; i++) {
		const struct service *s = &v->services[i];

		if (s->state == STATE_IDLE)
			continue;
		if (s->given_up && s->is->essential && !v->stopping) {
			decide(v, s);
			v->decided = true;
			snprintf(reason, sizeof(reason), "essential service "
				 "%.64s ended with status %d", s->is->name,
				 s->status);
			if (s->status != 0 || v->count > 1)
				complain("%s", reason);
			begin_stop(v, reason);
		}
		if (s->is->type != TYPE_ONESHOT)
			lasting = true;
		if (s->state != STATE_EXITED && s->state != STATE_FAILED)
			alive = true;
	}
	if (!alive && !v->stopping &&
	    (lasting || v->plan->schedule_count == 0)) {
		v->decided = true;
		begin_stop(v, "all services have ended");
	}
}

static void look_for_ready(struct supervisor *v)
{
	size_t i;

	for (i = 0; i < v->count && !v->ready; i++) {
		const struct service *s = &v->services[i];

		if (s->state != STATE_IDLE && !s->was_ready)
			return;
	}
	if (!v->ready)
		services_changed = true;
	v->ready = true;
}

static void reap(struct supervisor *v)
{
	int status;
	size_t i;
	pid_t pid;

	/* Output first: the last words may be what readiness waits for. */
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (health_reaped(pid, status))
			continue;
		for (i = 0; i < v->count; i++) {
			struct service *s = &v->services[i];

			if (!service_reaped(s, pid, status))
				continue;
			if (s->is->essential && v->stopping && !s->pid &&
			    s->state == STATE_STOPPING)
				decide(v, s);
			break;
		}
		schedules_reaped(pid, status);
	}
}

static bool is_stop(unsigned int number)
{
	return number == SIGTERM || number == SIGINT || number == SIGQUIT ||
		number == SIGPWR || number == SYSTEMD_HALT;
}

static void take_signals(struct supervisor *v)
{
	struct signalfd_siginfo info;
	char reason[64];

	while (read(v->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(v);
		} else if (is_stop(info.ssi_signo)) {
			if (v->stopping)
				v->killing = true;
			snprintf(reason, sizeof(reason),
				 "stopped by signal %u", info.ssi_signo);
			begin_stop(v, reason);
		} else {
			debug("signal %u is not for services",
			      info.ssi_signo);
		}
	}
}

static int pause_until_next(const struct supervisor *v, long long now)
{
	long long next = -1;
	size_t i;

	for (i = 0; i < v->count; i++) {
		const struct service *s = &v->services[i];

		if (s->next >= 0 && (next < 0 || s->next < next))
			next = s->next;
	}
	if (health_next() >= 0 && (next < 0 || health_next() < next))
		next = health_next();
	if (schedules_next() > 0 && !v->stopping &&
	    (next < 0 || schedules_next() < next))
		next = schedules_next();
	if (next < 0)
		return -1;
	return next <= now ? 0 : next - now > 60000 ? 60000 :
		(int)(next - now);
}

static void wait_for(struct supervisor *v, int pause)
{
	static struct pollfd fds[MOST_POLLED];
	size_t n, m;

	fds[0] = (struct pollfd){ .fd = v->signals, .events = POLLIN };
	n = 1 + logs_poll(fds + 1, MOST_POLLED - 1);
	m = console_poll(fds + n, MOST_POLLED - n);
	if (poll(fds, n + m, pause) < 0)
		return;
	logs_handle(fds + 1, n - 1);
	console_handle(fds + n, m);
	if (fds[0].revents)
		take_signals(v);
}

/* Processes that nobody answers for any more: asked, then killed. */
static void end_orphans(struct supervisor *v)
{
	long long until = now_ms() + (v->killing ? 0 : ORPHAN_GRACE);
	int signal = v->killing ? SIGKILL : SIGTERM;

	while (processes_of_parent(signal) > 0) {
		if (v->killing || now_ms() >= until)
			signal = SIGKILL;
		else
			signal = 0;
		if (now_ms() >= until + ORPHAN_GRACE)
			break;
		wait_for(v, 20);
		reap(v);
	}
}

/* Its services have begun: what a start takes is the start period's. */
static void look_at_health(struct supervisor *v, long long now)
{
	if (v->stopping) {
		health_end();
		return;
	}
	health_begin(v->plan);
	switch (health_step(now)) {
	case HEALTH_NOTHING:
		break;
	case HEALTH_KILL:
		v->decided = true;
		v->status = 128 + SIGKILL;
		v->signal = SIGKILL;
		v->killing = true;
		begin_stop(v, "unhealthy: killed");
		break;
	case HEALTH_STOP:
		begin_stop(v, "unhealthy: stopped");
		break;
	}
}

/* One turn; false at the end. */
static bool turn(struct supervisor *v)
{
	long long now = now_ms();
	bool any = true;
	size_t i;

	for (i = 0; i < v->count; i++) {
		struct service *s = &v->services[i];

		if (v->killing)
			service_kill(s);
		service_step(s, now);
		if (s->state == STATE_WAITING && !v->stopping)
			order_start(v->services, s);
	}
	look_for_ready(v);
	look_for_end(v);
	if (v->stopping)
		any = order_stop(v->services, v->count);
	if (v->ready && !v->stopping)
		schedules_step(now);
	look_at_health(v, now);
	if (services_changed) {
		services_changed = false;
		record_state(v->services, v->count,
			     v->ready && !v->stopping);
	}
	if (any)
		wait_for(v, pause_until_next(v, now));
	return any;
}

static void take_time_zone(const struct plan *plan)
{
	size_t i;

	for (i = 0; i < plan->env.count; i++)
		if (strcmp(plan->env.list[i].name, "TZ") == 0)
			setenv("TZ", plan->env.list[i].value, 0);
}

int run_services(const struct plan *plan)
{
	static struct supervisor v;
	struct console_ends ends;
	size_t i, automatic = 0;

	v.plan = plan;
	v.count = plan->service_count;
	v.services = calloc(v.count + 1, sizeof(*v.services));
	if (!v.services)
		die("out of memory");
	schedules_init(plan);
	for (i = 0; i < v.count; i++) {
		service_init(&v.services[i], plan, &plan->services[i]);
		automatic += plan->services[i].startup == STARTUP_AUTO;
	}
	if (automatic == 0 && plan->schedule_count == 0) {
		complain("no service starts by itself; name a program: "
			 "@NAME");
		return end_early("nothing to start");
	}
	if (!sockets_open(plan))
		return end_early("a socket cannot be opened");
	take_time_zone(plan);
	v.signals = signals_block();
	logs_open(plan, false);
	console_open(false, &ends);
	while (turn(&v))
		;
	end_orphans(&v);
	logs_drain();
	while (logs_pending() && !v.killing) {
		wait_for(&v, 1000);
		logs_drain();
	}
	console_end(v.status);
	record_state(v.services, v.count, false);
	record_exit(v.status, v.signal, v.reason, v.services, v.count);
	return v.status;
}
