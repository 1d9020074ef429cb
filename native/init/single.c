// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console.h"
#include "environment.h"
#include "health.h"
#include "logs.h"
#include "modes.h"
#include "process.h"
#include "record.h"
#include "service.h"
#include "spawn.h"
#include "talk.h"

struct single {
	int signals;
	pid_t pid;
	bool ended;
	bool hurry;		/* asked to end while output waits */
	int status;		/* wait status */
};

int end_early(const char *reason)
{
	record_exit(125, 0, reason, NULL, 0);
	return 125;
}

static void reap(struct single *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != s->pid) {
			health_reaped(pid, status);
			continue;
		}
		s->ended = true;
		s->status = status;
	}
}

static void take_signals(struct single *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			reap(s);
		else if (!s->ended)
			kill(s->pid, (int)info.ssi_signo);
		else if (info.ssi_signo == SIGTERM ||
			 info.ssi_signo == SIGINT)
			s->hurry = true;
	}
}

static int pause_for_health(void)
{
	long long next = health_next(), now = now_ms();

	if (next < 0)
		return -1;
	return next <= now ? 0 : next - now > 60000 ? 60000 :
		(int)(next - now);
}

static void wait_for(struct single *s)
{
	struct pollfd fds[32];
	size_t n, m;

	fds[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	n = 1 + logs_poll(fds + 1, 7);
	m = console_poll(fds + n, 32 - n);
	if (poll(fds, n + m, s->ended ? -1 : pause_for_health()) < 0 &&
	    errno != EINTR)
		return;
	logs_handle(fds + 1, n - 1);
	console_handle(fds + n, m);
	logs_close_unread();
	if (fds[0].revents)
		take_signals(s);
}

/* Gives the command's streams to pipes of the log, if there is one. */
static bool capture(struct launch *l, const char *name)
{
	struct log_source *out = logs_add(name, 1, &l->out);
	struct log_source *err = out ? logs_add(name, 2, &l->err) : NULL;

	if (err)
		return true;
	complain("cannot make pipes for the log: %s", strerror(errno));
	return false;
}

static int finish(struct single *s)
{
	char reason[64];
	int signal = WIFSIGNALED(s->status) ? WTERMSIG(s->status) : 0;
	int status = signal ? 128 + signal : WEXITSTATUS(s->status);

	if (signal)
		snprintf(reason, sizeof(reason), "ended by signal %d", signal);
	else
		snprintf(reason, sizeof(reason), "ended with status %d",
			 status);
	logs_drain();
	while (logs_pending() && !s->hurry) {
		wait_for(s);
		logs_drain();
	}
	if (getpid() != 1)
		processes_of_parent(SIGKILL);
	console_end(status);
	record_exit(status, signal, reason, NULL, 0);
	return status;
}

/* The program's terminal, or its standard input, where it is to have one. */
static bool give_console(struct launch *l, struct console_ends *ends,
			 const char *name)
{
	if (!console_open(true, ends))
		return capture(l, name);
	if (ends->in >= 0)
		l->in = ends->in;
	if (ends->terminal < 0)
		return capture(l, name);
	if (l->user && fchown(ends->terminal, l->user->uid, (gid_t)-1) < 0)
		debug("the terminal stays that of init: %s", strerror(errno));
	l->in = l->out = l->err = ends->terminal;
	l->session = l->terminal = true;
	return logs_add_terminal(name, console_terminal());
}

/* Until it has ended. */
static void watch(struct single *s, const struct plan *plan)
{
	health_begin(plan);
	while (!s->ended) {
		switch (health_step(now_ms())) {
		case HEALTH_NOTHING:
			break;
		case HEALTH_KILL:
			kill(s->pid, SIGKILL);
			break;
		case HEALTH_STOP:
			kill(s->pid, SIGTERM);
			break;
		}
		wait_for(s);
	}
	health_end();
}

int run_single(const struct plan *plan, const struct program *program,
	       const struct strings *command)
{
	const char *stdio = getenv("TRANSHIP_STDIO");
	struct launch l = { .argv = command->list, .in = -1, .out = -1,
			    .err = -1 };
	const char *name = program ? program->name : "main";
	struct console_ends ends = { -1, -1 };
	struct environment env = { 0 };
	struct single s = { 0 };
	static struct user user;
	char problem[4352];
	int error;

	l.foreground = isatty(STDIN_FILENO);
	if (program && *program->user) {
		if (user_lookup(program->user, &user, problem,
				sizeof(problem)) < 0) {
			complain("program %s: %s", program->name, problem);
			return end_early(problem);
		}
		l.user = &user;
	}
	if (program && *program->cwd)
		l.cwd = program->cwd;
	environment_build(&env, plan, program, l.user);
	l.envp = env.list;
	s.signals = signals_block();
	if (!l.foreground && (!stdio || strcmp(stdio, "inherit") != 0) &&
	    logs_open(plan, true) &&
	    !(getenv("TRANSHIP_CONSOLE") ? give_console(&l, &ends, name) :
					   capture(&l, name)))
		return end_early("no pipes for the log");
	s.pid = launch(&l, problem, sizeof(problem));
	error = errno;
	console_started(&ends);
	if (ends.terminal < 0 && l.out >= 0)
		close(l.out);
	if (ends.terminal < 0 && l.err >= 0)
		close(l.err);
	if (s.pid < 0) {
		int status = spawn_status(error, launch_failed_early);

		complain("%s", problem);
		record_exit(status, 0, problem, NULL, 0);
		return status;
	}
	record_state(NULL, 0, true);
	watch(&s, plan);
	return finish(&s);
}
