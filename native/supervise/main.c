// SPDX-License-Identifier: Apache-2.0
/*
 * supervise: what `tranship run` is in the foreground.
 *
 * Theory. A large process forks slowly and ends slowly. So this program comes
 * first and has Node as its child, which writes everything that an instance
 * needs, tells us the command and kills itself: it ends while the command
 * starts. Until then signals have their default effect, and what ends us ends
 * Node too. Where Node was started without us it executes us in its own place
 * instead. In both ways the state root names our pid and start time as who
 * started the instance. We start the command (enter, which becomes the OCI
 * runtime), pass signals on to it, and do the end of an instance that left
 * nothing but a few files. Every other end is Node's again, which is executed
 * in our place. kill -9 at any moment leaves what kill -9 of Node would: the
 * command dies by its parent-death signal, the next one repairs.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "die.h"
#include "end.h"
#include "options.h"
#include "prepare.h"
#include "remove.h"
#include "steps.h"

static const int passed_on[] = {
	SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT,
};

static sigset_t waited_for;

/* Node ignores SIGPIPE, and what it ignores its children would ignore. */
static void begin(void)
{
	for (int n = 1; n < NSIG; n++)
		if (n != SIGKILL && n != SIGSTOP)
			signal(n, SIG_DFL);
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&waited_for, passed_on[i]);
	if (sigprocmask(SIG_SETMASK, &waited_for, NULL) < 0)
		die_errno("sigprocmask");
}

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

static void streams(const struct config *c)
{
	/* What is closed must not become some file of the command. */
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) < 0 || (fd == 0 && c->null_stdin)) {
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

static pid_t start(const struct config *c)
{
	pid_t pid = fork();

	if (pid < 0)
		die_errno("fork");
	if (pid > 0)
		return pid;
	streams(c);
	sigemptyset(&waited_for);
	sigprocmask(SIG_SETMASK, &waited_for, NULL);
	execv(c->argv[0], c->argv);
	die_errno("cannot execute %s", c->argv[0]);
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

/*
 * wake_cgroups() - the first move into a cgroup after a while waits for a grace
 * period of the kernel, some 10 ms, those soon after it do not. The command
 * will move one, but has other things to do first: so the waiting begins now,
 * with a move that changes nothing. Where it fails nothing is lost.
 */
static void wake_cgroups(void)
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

/* forward() - those that a terminal sends have reached the command already. */
static void forward(pid_t pid, int signo, bool from_terminal)
{
	if (!from_terminal || (signo != SIGINT && signo != SIGQUIT))
		kill(pid, signo);
}

/* watch() - Return: the exit status that stands for how @pid ended. */
static int watch(pid_t pid, const char *to_empty)
{
	bool from_terminal = isatty(0) || isatty(2);
	const struct timespec at_once = { 0 };

	for (;;) {
		siginfo_t info;
		int status, signo;
		pid_t gone = waitpid(-1, &status, WNOHANG);

		if (gone > 0 && gone != pid)
			continue;	/* Node, which prepared it */
		if (gone == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) :
						   128 + WTERMSIG(status);
		if (to_empty)
			signo = sigtimedwait(&waited_for, &info, &at_once);
		else
			signo = sigwaitinfo(&waited_for, &info);
		if (signo > 0 && signo != SIGCHLD)
			forward(pid, signo, from_terminal);
		/* While it runs there is nothing else to do. */
		if (signo < 0 && to_empty && !remove_next(to_empty))
			to_empty = NULL;
	}
}

__attribute__((noreturn))
static void hand_over(struct config *c, int status)
{
	sigset_t none;
	char text[16];

	/* What came for the program after its end is nobody's. */
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++) {
		signal(passed_on[i], SIG_IGN);
		signal(passed_on[i], SIG_DFL);
	}
	snprintf(text, sizeof(text), "%d", status);
	c->hand_over.list[c->hand_over.count] = text;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(c->hand_over.list[0], c->hand_over.list);
	die_errno("cannot execute %s", c->hand_over.list[0]);
}

int main(int argc, char **argv)
{
	struct config c = { 0 };
	pid_t pid, node = 0;
	int status;

	program_name = "supervise";
	argv += argc > 0;
	if (argv[0] && strcmp(argv[0], "--prepare") == 0)
		argv = prepare(argv + 1, &node);
	begin();
	parse_options(&c, argv);
	step("chain start");
	pid = start(&c);
	wake_cgroups();
	status = watch(pid, c.empty);
	if (node)
		waitpid(node, NULL, 0);	/* it may be slower than the command */
	if (!simple_end(&c, status))
		hand_over(&c, status);
	return status;
}
