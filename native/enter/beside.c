// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beside.h"
#include "frame.h"
#include "report.h"

/* No stream of the caller: whoever waits for its end must not wait for ours. */
static void no_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		if (null != fd)
			dup2(null, fd);
	if (null > 2)
		close(null);
}

/* leave() - into the namespaces of @host, where we have made our own already:
 * a supervisor that stayed would keep the instance's network and mounts. Its
 * root is not that of its mounts where it was itself started by chroot. */
static void leave(pid_t host)
{
	static const char *const names[] = { "mnt", "net" };
	char root[32];
	int at;

	snprintf(root, sizeof(root), "/proc/%d/root", (int)host);
	at = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[64];
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)host,
			 names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || setns(fd, 0) < 0)
			_exit(EXIT_SETUP);
		close(fd);
	}
	if (at < 0 || fchdir(at) < 0 || chroot(".") < 0)
		_exit(EXIT_SETUP);
	close(at);
}

__attribute__((noreturn))
static void become(const struct config *c, pid_t runtime, int ready)
{
	char pid[16], fd[16];
	sigset_t none;

	snprintf(pid, sizeof(pid), "%d", (int)runtime);
	snprintf(fd, sizeof(fd), "%d", ready);
	if (fcntl(ready, F_SETFD, 0) < 0 || chdir("/") < 0)
		_exit(EXIT_SETUP);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	no_streams();
	execl(c->refusals[0], c->refusals[0], "--socket", c->refusals[1],
	      "--log", c->refusals[2], "--instance", c->refusals[3], "--pid",
	      pid, "--ready", fd, (char *)NULL);
	_exit(EXIT_NOT_FOUND);
}

int beside_start(const struct config *c)
{
	pid_t runtime = getpid(), host = getppid(), child;
	int ready[2];

	if (!c->refusals[0])
		return -1;
	if (pipe2(ready, O_CLOEXEC) < 0)
		fail_errno("pipe");
	child = fork();
	if (child < 0)
		fail_errno("fork");
	if (child == 0) {
		/* Twice: the OCI runtime must not find a child of its own. */
		setsid();
		if (fork() == 0) {
			leave(host);
			become(c, runtime, ready[1]);
		}
		_exit(0);
	}
	close(ready[1]);
	waitpid(child, NULL, 0);
	return ready[0];
}

__attribute__((noreturn))
static void become_watcher(const struct config *c, pid_t runtime)
{
	char **words = calloc(c->watcher_count + 3, sizeof(*words));
	char pid[16], option[] = "--pid";
	sigset_t none;

	if (!words)
		_exit(EXIT_SETUP);
	snprintf(pid, sizeof(pid), "%d", (int)runtime);
	memcpy(words, c->watcher, c->watcher_count * sizeof(*words));
	words[c->watcher_count] = option;
	words[c->watcher_count + 1] = pid;
	words[c->watcher_count + 2] = NULL;
	if (chdir("/") < 0)
		_exit(EXIT_SETUP);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	no_streams();
	execv(words[0], words);
	_exit(EXIT_NOT_FOUND);
}

void beside_watch(const struct config *c)
{
	pid_t runtime = getpid(), host = getppid(), child;

	if (!c->watcher)
		return;
	child = fork();
	if (child < 0)
		fail_errno("fork");
	if (child == 0) {
		setsid();
		if (fork() == 0) {
			leave(host);
			become_watcher(c, runtime);
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

void beside_wait(int fd)
{
	char byte;

	if (fd < 0)
		return;
	if (read_all(fd, &byte, 1) != 1)
		fail("the supervisor of refused system calls did not start");
	close(fd);
}
