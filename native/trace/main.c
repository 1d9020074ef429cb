// SPDX-License-Identifier: Apache-2.0
/*
 * trace (--fd N | --out FILE) [--limit BYTES] [--kill-on-exit]
 *       [--mode seccomp|notify|plain] [--calls] [--without LIST]
 *       [--ask SOCKET PROGRAM] -- CMD...
 *
 * Runs CMD and writes what it and all its descendants do with files, programs
 * and sockets to descriptor N (docs/internals/records.md, section 2). Ends
 * with the status of CMD when the last descendant has gone. 125: the tracer
 * itself failed, 126 and 127: CMD could not be run, was not found.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ask.h"
#include "attach.h"
#include "calls.h"
#include "die.h"
#include "enter.h"
#include "inherited.h"
#include "loop.h"
#include "near.h"
#include "notify.h"
#include "record.h"
#include "stop.h"
#include "without.h"

static const int passed_on[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1,
				 SIGUSR2 };
#define PASSED (sizeof(passed_on) / sizeof(passed_on[0]))

static struct sigaction before[PASSED], before_child, before_pipe, before_alarm;
static sigset_t mask_before;
static struct loop loop;

struct options {
	int fd;
	enum mode mode;
	bool kill;
	char **cmd;
};

/* What the terminal sends goes to CMD as well: only a kill() is handed on. */
static void pass_on(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (loop.cmd > 0 && info->si_code <= 0)
		kill(loop.cmd, sig);
	errno = saved;
}

static void tick(int sig)
{
	(void)sig;
	record_alarm();
}

static void take_signals(void)
{
	struct sigaction on = { .sa_sigaction = pass_on,
				.sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigaction alarms = { .sa_handler = tick };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	/* Stops of tasks are waited for: they need no signal beside. */
	struct sigaction plain = { .sa_handler = SIG_DFL,
				   .sa_flags = SA_NOCLDSTOP };
	sigset_t wanted;

	/* The handler of SIGCHLD may jump: never out of another one. */
	sigaddset(&on.sa_mask, SIGCHLD);
	sigaddset(&alarms.sa_mask, SIGCHLD);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGALRM);
	for (size_t i = 0; i < PASSED; i++) {
		sigaction(passed_on[i], &on, &before[i]);
		sigaddset(&wanted, passed_on[i]);
	}
	sigprocmask(SIG_UNBLOCK, &wanted, &mask_before);
	sigaction(SIGALRM, &alarms, &before_alarm);
	sigaction(SIGPIPE, &ignore, &before_pipe);
	sigaction(SIGCHLD, &plain, &before_child);
}

static void give_signals_back(void)
{
	for (size_t i = 0; i < PASSED; i++)
		sigaction(passed_on[i], &before[i], NULL);
	sigaction(SIGALRM, &before_alarm, NULL);
	sigaction(SIGPIPE, &before_pipe, NULL);
	sigaction(SIGCHLD, &before_child, NULL);
	sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

static int install(bool notify, long *nnp)
{
	int listener = filter_install(notify);

	if (listener < 0 && errno == EACCES) {
		*nnp = HELLO_NNP;
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
			listener = filter_install(notify);
	}
	if (listener < 0)
		die_errno("cannot install the filter (try --mode %s)",
			  notify ? "seccomp" : "plain");
	return listener;
}

/* Without a word the tracer has died: CMD must not run unseen. */
static void wait_word(int go)
{
	long n;
	char c;

	do {
		n = read(go, &c, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(125);
}

__attribute__((noreturn)) static void child(const struct options *o, int go)
{
	bool notify = o->mode == MODE_NOTIFY;
	int listener = -1;
	long nnp = 0;

	wait_word(go);	/* the tracer holds us */
	if (o->mode != MODE_PLAIN)
		listener = install(notify, &nnp);
	if (notify && notify_hand_over(go, listener) < 0)
		die_errno("cannot hand over the listener");
	if (notify)
		close(listener);
	wait_word(go);	/* the tracer has what it needs */
	close(go);
	syscall(SYS_access, HELLO_POINTER, HELLO_MODE, nnp);
	give_signals_back();
	execvp(o->cmd[0], o->cmd);
	fprintf(stderr, "%s: cannot run %s: %s\n", program_name, o->cmd[0],
		strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static void start(const struct options *o)
{
	struct task *t;
	bool going;
	int go[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, go) < 0)
		die_errno("socketpair");
	loop.cmd = fork();
	if (loop.cmd < 0)
		die_errno("fork");
	if (loop.cmd == 0) {
		close(go[1]);
		child(o, go[0]);
	}
	close(go[0]);
	attach(loop.cmd, o->mode, o->kill);
	t = task_new(loop.cmd);
	t->tgid = loop.cmd;
	t->launching = true;
	t->orphan = false;
	t->alone = true;
	t->newborn = false;
	t->fs->uncached = false;
	report_inherited(loop.cmd, go[1]);
	going = write(go[1], "g", 1) == 1 &&
		(o->mode != MODE_NOTIFY || notify_open(go[1])) &&
		write(go[1], "g", 1) == 1;
	close(go[1]);
	if (!going)
		_exit(125);
}

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: trace (--fd N | --out FILE) [--limit BYTES] "
		"[--mode seccomp|notify|plain] [--calls] [--kill-on-exit] "
		"[--without LIST] [--ask SOCKET PROGRAM] -- CMD...\n");
	_exit(125);
}

static int number(const char *text)
{
	char *end;
	long v;

	errno = 0;
	v = text ? strtol(text, &end, 10) : -1;
	if (!text || errno || *end || end == text || v < 0 || v > 1 << 30)
		usage();
	return (int)v;
}

/* A new file: what an earlier start wrote is kept by who asked for it. */
static int out_file(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = path ? open(path, flags, 0600) : -1;

	if (!path)
		usage();
	if (fd < 0)
		die_errno("cannot write %s", path);
	return fd;
}

static enum mode mode_of(const char *name)
{
	static const char *const names[] = {
		[MODE_SECCOMP] = "seccomp", [MODE_NOTIFY] = "notify",
		[MODE_PLAIN] = "plain",
	};

	for (int i = 0; i <= MODE_PLAIN; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum mode)i;
	usage();
}

static struct options parse(char **argv)
{
	struct options o = { .fd = -1 };

	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		if (strcmp(*argv, "--fd") == 0) {
			o.fd = number(*++argv);
		} else if (strcmp(*argv, "--out") == 0) {
			o.fd = out_file(*++argv);
		} else if (strcmp(*argv, "--limit") == 0) {
			record_limit((uint64_t)number(*++argv));
		} else if (strcmp(*argv, "--mode") == 0 && argv[1]) {
			o.mode = mode_of(*++argv);
		} else if (strcmp(*argv, "--without") == 0 && argv[1]) {
			if (!without_parse(*++argv))
				usage();
		} else if (strcmp(*argv, "--calls") == 0) {
			loop.calls = true;
		} else if (strcmp(*argv, "--ask") == 0 && argv[1] && argv[2]) {
			ask_connect(argv[1], argv[2]);
			argv += 2;
		} else if (strcmp(*argv, "--kill-on-exit") == 0) {
			o.kill = true;
		} else {
			usage();
		}
	}
	/* In the other modes most calls are not seen. */
	if (o.fd < 0 || !*argv || !argv[1] ||
	    (loop.calls && o.mode != MODE_PLAIN))
		usage();
	o.cmd = argv + 1;
	return o;
}

int main(int argc, char **argv)
{
	struct options o;
	pid_t cmd;
	int status;

	(void)argc;
	program_name = "trace";
	o = parse(argv);
	if (fcntl(o.fd, F_SETFD, FD_CLOEXEC) < 0)
		die_errno("descriptor %d", o.fd);
	loop.mode = o.mode;
	take_signals();
	record_open(o.fd);
	if (o.mode != MODE_NOTIFY)
		near_init(o.mode == MODE_SECCOMP && !without.exit_kill);
	start(&o);
	cmd = loop.cmd;
	status = loop_run(&loop);
	record_end(cmd, status);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}
