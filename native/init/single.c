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

#include "logs.h"
#include "modes.h"
#include "process.h"
#include "record.h"
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
		if (pid != s->pid)
			continue;
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

static void wait_for(struct single *s)
{
	struct pollfd fds[8];
	size_t n;

	fds[0] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
	n = 1 + logs_poll(fds + 1, 7);
	if (poll(fds, n, -1) < 0 && errno != EINTR)
		return;
	logs_handle(fds + 1, n - 1);
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
	record_exit(status, signal, reason, NULL, 0);
	return status;
}

int run_single(const struct plan *plan, const struct program *program,
	       const struct strings *command)
{
	const char *stdio = getenv("TRANSHIP_STDIO");
	struct launch l = { .argv = command->list, .in = -1, .out = -1,
			    .err = -1 };
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
	    !capture(&l, program ? program->name : "main"))
		return end_early("no pipes for the log");
	s.pid = launch(&l, problem, sizeof(problem));
	error = errno;
	if (l.out >= 0)
		close(l.out);
	if (l.err >= 0)
		close(l.err);
	if (s.pid < 0) {
		int status = spawn_status(error, launch_failed_early);

		complain("%s", problem);
		record_exit(status, 0, problem, NULL, 0);
		return status;
	}
	record_state(NULL, 0, true);
	while (!s.ended)
		wait_for(&s);
	return finish(&s);
}
