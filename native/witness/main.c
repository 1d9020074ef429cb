// SPDX-License-Identifier: Apache-2.0
/*
 * witness --fd N [--optional] [--limited-queue] -- CMD...
 * witness --fd N [--pid PID]... [--session SID]... [--cgroup PATH]...
 *	[--root DIR] --for MS
 *
 * Watches by fanotify which files are used, beside or without a tracer, and
 * writes it to descriptor N (docs/internals/records.md, section 4). Never
 * stops, slows or changes what it watches.
 *
 * With CMD: marks all mounts of its own mount namespace, runs CMD, ends when
 * CMD and all that came from it have gone, with the status of CMD. Without:
 * enters the mount namespace of the first PID, watches for so long, ends with
 * 0; TERM, INT and HUP end it sooner. 125: it failed, 124: the kernel does not
 * allow it (with --optional and CMD: CMD then runs unwatched), 126 and 127:
 * CMD could not be run, was not found.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "marks.h"
#include "options.h"
#include "record.h"
#include "watch.h"
#include "who.h"

#define NOT_HERE 124
#define FLUSH_MS 200
#define ASK_MS 100		/* how long what is known of a process holds */
#define AT_A_TIME 4096		/* events between two looks at all else */
#define NAP_MS 8
#define NAP_OTHERS_MS 2		/* where only we know who a process was */
#define LISTEN_MS 1000

static const int passed_on[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1,
				 SIGUSR2 };
#define PASSED (sizeof(passed_on) / sizeof(passed_on[0]))

struct session {
	struct watch watch;
	int proc;
	int mounts;
	int signals;
	int fd;
	sigset_t inherited;
	pid_t cmd;
	int status;
	bool ended;
	int nap;		/* ms to let events gather */
	int nap_most;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void take_signals(struct session *s)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGPIPE);
	for (size_t i = 0; i < PASSED; i++)
		sigaddset(&wanted, passed_on[i]);
	sigprocmask(SIG_BLOCK, &wanted, &s->inherited);
	s->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0)
		die_errno("signalfd");
}

__attribute__((noreturn)) static void run(const struct options *o)
{
	execvp(o->cmd[0], o->cmd);
	fprintf(stderr, "%s: cannot run %s: %s\n", program_name, o->cmd[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void start(struct session *s, const struct options *o)
{
	/* What CMD leaves behind is waited for; init, below us, does the same
	 * for its services, so that these see no difference. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	s->cmd = fork();
	if (s->cmd < 0)
		die_errno("fork");
	if (s->cmd == 0) {
		sigprocmask(SIG_SETMASK, &s->inherited, NULL);
		run(o);
	}
	who_root(s->cmd);
}

static void reap(struct session *s)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->cmd)
			s->status = status;
	if (pid < 0 && errno == ECHILD)
		s->ended = true;
}

/* What a terminal sends goes to CMD as well: only a kill() is handed on. */
static void take_signal(struct session *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof(info)) == sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGCHLD || sig == SIGPIPE)
			continue;
		if (s->cmd == 0)
			s->ended = true;
		else if (info.ssi_code <= 0)
			kill(s->cmd, sig);
	}
	if (s->cmd > 0)
		reap(s);
}

static void look_around(struct session *s, const struct pollfd *polled)
{
	if (polled[1].revents)
		marks_update();
	if (polled[2].revents)
		take_signal(s);
	if (polled[3].revents & (POLLERR | POLLHUP | POLLNVAL))
		die("nobody reads the records");
}

/*
 * A server under load opens the same files again and again. To be woken for
 * each of them would cost it a part of its processor: while nothing new comes,
 * events gather for some milliseconds, the kernel merges those that are alike,
 * and it is asked to be silent about files that are known.
 */
static void drain(struct session *s)
{
	uint64_t events = statistics.events, news = statistics.seen;

	watch_drain(&s->watch, AT_A_TIME);
	if (statistics.seen != news || statistics.events == events)
		s->nap = 0;
	else if (s->nap < s->nap_most)
		s->nap = s->nap ? s->nap * 2 : 1;
	s->watch.busy = s->nap == s->nap_most;
}

static void loop(struct session *s, long ms)
{
	int64_t end = ms < 0 ? INT64_MAX : now_ms() + ms;
	int64_t asked = now_ms(), flushed = asked, heard = asked, now;

	for (now = asked; !s->ended && now < end; now = now_ms()) {
		struct pollfd polled[] = {
			{ .fd = s->nap ? -1 : s->watch.fanotify,
			  .events = POLLIN },
			{ .fd = s->mounts, .events = POLLPRI },
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->fd },
		};
		int64_t wait = s->nap ? s->nap
				      : record_pending() ? FLUSH_MS
				      : watch_silenced() ? LISTEN_MS : 60000;

		if (end - now < wait)
			wait = end - now;
		if (poll(polled, 4, (int)wait) < 0 && errno != EINTR)
			die_errno("poll");
		now = now_ms();
		if (now - asked >= ASK_MS) {
			who_tick();
			asked = now;
		}
		if (now - heard >= LISTEN_MS) {
			watch_listen_again(&s->watch);
			heard = now;
		}
		look_around(s, polled);
		drain(s);
		if (now - flushed >= FLUSH_MS) {
			record_flush();
			flushed = now;
		}
	}
	/* Each event was queued before the call that made it returned. */
	while (!watch_drain(&s->watch, AT_A_TIME))
		;
}

static void enter(int proc, pid_t pid)
{
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "%d/ns/mnt", (int)pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die_errno("process %d", (int)pid);
	if (setns(fd, CLONE_NEWNS) < 0)
		die_errno("cannot enter the mount namespace of process %d",
			  (int)pid);
	close(fd);
}

static int not_here(const struct options *o, const struct session *s)
{
	char text[200];

	snprintf(text, sizeof(text), "fanotify cannot be used here: %s",
		 strerror(errno));
	if (o->optional && o->cmd) {
		record_lost(LOST_ALL, text);
		record_flush();
		sigprocmask(SIG_SETMASK, &s->inherited, NULL);
		run(o);
	}
	fprintf(stderr, "%s: %s\n", program_name, text);
	return NOT_HERE;
}

int main(int argc, char **argv)
{
	struct session s = { 0 };
	struct options o;

	(void)argc;
	program_name = "witness";
	o = options_read(argv);
	if (fcntl(o.fd, F_SETFD, FD_CLOEXEC) < 0)
		die_errno("descriptor %d", o.fd);
	take_signals(&s);
	s.fd = o.fd;
	s.watch.root = o.root;
	s.watch.outside = o.cmd != NULL;
	s.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	s.watch.fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s.proc < 0 || s.watch.fds < 0)
		die_errno("/proc");
	record_open(o.fd);
	who_init(s.proc);
	s.watch.fanotify = watch_open(o.limited);
	if (s.watch.fanotify < 0)
		return not_here(&o, &s);
	if (o.pid)
		enter(s.proc, o.pid);
	s.mounts = marks_open(s.proc, s.watch.fanotify, WATCH_MASK);
	record_ready(marks_update());
	if (o.cmd)
		start(&s, &o);
	s.nap_most = o.cmd ? NAP_MS : NAP_OTHERS_MS;
	loop(&s, o.ms);
	record_end(s.status);
	return WIFSIGNALED(s.status) ? 128 + WTERMSIG(s.status)
				     : WEXITSTATUS(s.status);
}
