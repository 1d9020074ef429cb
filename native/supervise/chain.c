// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "die.h"
#include "surroundings.h"

/*
 * own_pipe() - O_NONBLOCK belongs to the open file, not to the process: a pipe
 * that somebody before us set so is opened anew. One with a name is left alone:
 * opening it could wait for its other end.
 */
static void own_pipe(int fd)
{
	char path[32], target[32];
	ssize_t n;
	int opened;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, target, sizeof(target));
	if (n < 5 || memcmp(target, "pipe:", 5) != 0)
		return;
	opened = open(path, fd == 0 ? O_RDONLY : O_WRONLY);
	if (opened < 0)
		return;		/* as it is */
	dup2(opened, fd);
	close(opened);
}

static void streams(bool null_stdin)
{
	/* What is closed must not become some file of the command. */
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 || (fd == 0 && null_stdin)) {
			int null = open("/dev/null", O_RDWR);

			if (null < 0)
				die_errno("cannot open /dev/null");
			if (null != fd) {
				dup2(null, fd);
				close(null);
			}
		} else {
			own_pipe(fd);
		}
	}
}

void default_signals(void)
{
	for (int n = 1; n < NSIG; n++)
		if (n != SIGKILL && n != SIGSTOP)
			signal(n, SIG_DFL);
}

void become(char *const *argv, bool null_stdin)
{
	sigset_t none;

	default_signals();
	streams(null_stdin);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(argv[0], argv);
	die_errno("cannot execute %s", argv[0]);
}

pid_t chain_start(const struct config *c)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		die_errno("fork");
	if (pid == 0) {
		surroundings(c, parent);
		become(c->argv, c->null_stdin);
	}
	return pid;
}

/* is_ready() - whether enter has said that it is. */
static bool is_ready(int fd)
{
	char first;
	ssize_t n;

	do
		n = read(fd, &first, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

pid_t chain_start_ahead(const char *self, int parts, char *draft)
{
	const char *slash = strrchr(self, '/');
	char verb[] = "launch", bound[] = "--parent", stages[] = "--stages";
	char base[] = "--base", status[] = "--status-fd";
	char enter[PATH_MAX], parent[16], from[16], to[16];
	char *argv[] = { enter, verb, bound, parent, stages, from, status, to,
			 base, draft, NULL };
	int ready[2];
	pid_t pid;

	if (!slash || snprintf(enter, sizeof(enter), "%.*s/enter",
			       (int)(slash - self), self) >= PATH_MAX ||
	    access(enter, X_OK) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return 0;
	snprintf(parent, sizeof(parent), "%d", (int)getpid());
	snprintf(from, sizeof(from), "%d", parts);
	snprintf(to, sizeof(to), "%d", ready[1]);
	pid = fork();
	if (pid == 0) {
		fcntl(parts, F_SETFD, 0);
		fcntl(ready[1], F_SETFD, 0);
		become(argv, false);
	}
	close(ready[1]);
	if (pid > 0 && !is_ready(ready[0])) {
		chain_end(pid);
		pid = 0;
	}
	close(ready[0]);
	return pid < 0 ? 0 : pid;
}

void chain_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* rejoin() - moves us into the cgroup of this hierarchy where we are. */
static bool rejoin(const char *controllers, const char *path)
{
	char file[PATH_MAX];
	bool done;
	int fd;

	snprintf(file, sizeof(file), "/sys/fs/cgroup/%s%s/cgroup.procs",
		 controllers, path);
	fd = open(file, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = write(fd, "0", 1) == 1;
	close(fd);
	return done;
}

void wake_cgroups(void)
{
	FILE *list = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];

	while (list && fgets(line, sizeof(line), list)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		line[strcspn(line, "\n")] = 0;
		*path++ = 0;
		controllers++;
		if (strncmp(controllers, "name=", 5) == 0)
			controllers += 5;
		if (rejoin(controllers, path))
			break;
	}
	if (list)
		fclose(list);
}
