// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "environment.h"
#include "spawn.h"

static sigset_t old_mask;
static bool pipe_was_ignored;
bool launch_failed_early;

int signals_block(void)
{
	static const int left[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
				    SIGABRT, SIGSYS, SIGPIPE };
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	sigset_t mask;
	size_t i;
	int fd;

	/* Not sigfillset(): the C library keeps 32 to 34 for itself, but for
	 * the programs here 34 is their first real-time signal. */
	memset(&mask, 0xff, sizeof(mask));
	for (i = 0; i < sizeof(left) / sizeof(*left); i++)
		sigdelset(&mask, left[i]);
	sigprocmask(SIG_BLOCK, &mask, &old_mask);
	sigaction(SIGPIPE, &ignore, &old);
	pipe_was_ignored = old.sa_handler == SIG_IGN;
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die_errno("cannot make a signal descriptor");
	return fd;
}

/* One attempt per directory of PATH; EACCES is remembered, as execvp() does. */
static void exec_in_path(const struct launch *l)
{
	const char *path = environment_get(l->envp, "PATH"), *end;
	size_t n = strlen(l->argv[0]);
	char file[PATH_MAX];
	int seen = ENOENT;

	if (strchr(l->argv[0], '/')) {
		execve(l->argv[0], l->argv, l->envp);
		return;
	}
	if (!path || !*path)
		path = DEFAULT_PATH;
	for (; n > 0; path = end + 1) {
		size_t m;

		end = strchrnul(path, ':');
		m = (size_t)(end - path);
		if (m + n + 2 <= sizeof(file)) {
			memcpy(file, path, m);
			if (m > 0)
				file[m++] = '/';
			memcpy(file + m, l->argv[0], n + 1);
			execve(file, l->argv, l->envp);
			if (errno == EACCES)
				seen = EACCES;
			else if (errno != ENOENT && errno != ENOTDIR)
				return;
		}
		if (!*end)
			break;
	}
	errno = seen;
}

static const char *become(const struct user *u)
{
#ifdef SYS_setgroups32
	if (syscall(SYS_setgroups32, u->group_count, u->groups) < 0)
		return "set the groups";
	if (syscall(SYS_setresgid32, u->gid, u->gid, u->gid) < 0)
		return "set the group";
	if (syscall(SYS_setresuid32, u->uid, u->uid, u->uid) < 0)
		return "set the user";
#else
	if (syscall(SYS_setgroups, u->group_count, u->groups) < 0)
		return "set the groups";
	if (syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0)
		return "set the group";
	if (syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		return "set the user";
#endif
	return NULL;
}

/* Onto 0, 1, 2; a source below 3 was moved up by the caller's O_CLOEXEC pipes
 * never being there. */
static int place(int fd, int target)
{
	return fd < 0 ? 0 : dup2(fd, target);
}

/* Their sources lie above all targets. */
static bool hand(const struct handed *h)
{
	char digits[16];
	int pid = getpid(), n = 0, i;
	size_t k;

	for (k = 0; k < h->count; k++)
		if (dup2(h->fds[k], HANDED_FIRST + (int)k) < 0)
			return false;
	if (h->input >= 0 && dup2(h->input, STDIN_FILENO) < 0)
		return false;
	if (!h->pid_text)
		return true;
	for (; pid; pid /= 10)
		digits[n++] = (char)('0' + pid % 10);
	for (i = 0; i < n; i++)
		h->pid_text[i] = digits[n - 1 - i];
	h->pid_text[n] = 0;
	return true;
}

static const char *prepare(const struct launch *l)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	const char *step;

	if (l->session && setsid() < 0)
		return "make a session";
	if (l->foreground) {
		pid_t self = getpid();

		setpgid(0, 0);
		/* SIGTTOU is still blocked: this does not stop us. */
		ioctl(STDIN_FILENO, TIOCSPGRP, &self);
	}
	if (place(l->in, 0) < 0 || place(l->out, 1) < 0 ||
	    place(l->err, 2) < 0)
		return "place the standard streams";
	if (l->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
		return "take the terminal";
	if (l->handed && !hand(l->handed))
		return "hand over the sockets";
	if (l->cwd && chdir(l->cwd) < 0)
		return "enter the working directory";
	if (l->user) {
		step = become(l->user);
		if (step)
			return step;
	}
	if (!pipe_was_ignored)
		sigaction(SIGPIPE, &standard, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	return NULL;
}

static void explain(const struct launch *l, int error, const char *step,
		    char *problem, size_t size)
{
	const char *name = l->argv[0];

	if (step && l->cwd && strstr(step, "working"))
		snprintf(problem, size, "cannot %s %s: %s", step, l->cwd,
			 strerror(error));
	else if (step)
		snprintf(problem, size, "cannot %s for %s: %s", step, name,
			 strerror(error));
	else if (error == ENOENT && strchr(name, '/') &&
		 access(name, F_OK) == 0)
		snprintf(problem, size, "cannot run %s: the file is there, "
			 "its interpreter or loader is not", name);
	else if (error == ENOENT && !strchr(name, '/'))
		snprintf(problem, size, "cannot run %s: not found in PATH",
			 name);
	else
		snprintf(problem, size, "cannot run %s: %s", name,
			 strerror(error));
}

pid_t launch(const struct launch *l, char *problem, size_t size)
{
	/* Shared with the child until it has called execve(). */
	const char *volatile step = NULL;
	volatile int error = 0;
	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): see above */
	pid_t pid = vfork();

	if (pid == 0) {
		step = prepare(l);
		if (!step)
			exec_in_path(l);
		error = errno ? errno : EINVAL;
		_exit(127);
	}
	if (pid < 0) {
		error = errno;
		step = "fork";
	} else if (error) {
		int status;

		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	if (!error)
		return pid;
	launch_failed_early = step != NULL;
	explain(l, error, step, problem, size);
	errno = error;
	return -1;
}

int spawn_status(int error, bool before_exec)
{
	if (before_exec)
		return 125;
	return error == ENOENT || error == ENOTDIR ? 127 : 126;
}
