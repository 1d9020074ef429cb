// SPDX-License-Identifier: Apache-2.0
/*
 * rootless hold UID SUBUID COUNT GID SUBGID COUNT
 * rootless join PID COMMAND...
 * rootless beside PID COMMAND...
 *
 * An ordinary user's own root: a user namespace in which the user is root and
 * a range of further ids is theirs, with mounts and a network of its own.
 *
 * Theory. hold makes the namespaces, lets newuidmap and newgidmap (which are
 * set-user-id, and look into /etc/subuid) map the ids, and leaves one sleeping
 * process in them, whose pid it prints: namespaces live as long as somebody is
 * in them. join enters those of PID and executes a command. beside runs one that
 * goes when PID does, where it is. All run with no more rights than the caller
 * has.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		die_errno("cannot bring the loopback up");
	close(fd);
}

static void become_root(void)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		die_errno("cannot become root of the user namespace");
	/* Its namespaces are found by /proc. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void no_streams(void)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
}

__attribute__((noreturn))
static void hold_child(int to_parent, int from_parent)
{
	char byte = 0;

	if (unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET) < 0)
		die_errno("cannot make a user namespace");
	if (write(to_parent, &byte, 1) != 1 || read(from_parent, &byte, 1) != 1)
		_exit(125);
	become_root();
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		die_errno("cannot make the mounts our own");
	loopback_up();
	if (chdir("/") < 0 || setsid() < 0 || write(to_parent, &byte, 1) != 1)
		_exit(125);
	no_streams();
	for (;;)
		pause();
}

/* map() - newuidmap PID 0 OWN 1 1 SUB COUNT */
static void map(const char *program, pid_t pid, char **own)
{
	char target[16], zero[] = "0", one[] = "1", name[32];
	char *words[] = { name, target, zero, own[0], one, one, own[1],
			  own[2], NULL };
	int status;
	pid_t child;

	snprintf(name, sizeof(name), "%s", program);
	snprintf(target, sizeof(target), "%d", (int)pid);
	child = fork();
	if (child == 0) {
		execvp(program, words);
		die_errno("cannot execute %s", program);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		die("%s could not map the ids", program);
}

static int hold(char **args)
{
	int up[2], down[2];
	char byte = 0;
	pid_t child;

	if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		die_errno("pipe");
	child = fork();
	if (child < 0)
		die_errno("fork");
	if (child == 0) {
		close(up[0]);
		close(down[1]);
		hold_child(up[1], down[0]);
	}
	close(up[1]);
	close(down[0]);
	if (read(up[0], &byte, 1) != 1)
		return 125;	/* it has said why */
	map("newuidmap", child, args);
	map("newgidmap", child, args + 3);
	if (write(down[1], &byte, 1) != 1 || read(up[0], &byte, 1) != 1)
		return 125;
	printf("%d\n", (int)child);
	return 0;
}

static int join(char **args)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = {
		{ "user", CLONE_NEWUSER },
		{ "mnt", CLONE_NEWNS },
		{ "net", CLONE_NEWNET },
	};
	char here[PATH_MAX];
	int fds[3];

	if (!getcwd(here, sizeof(here)))
		strcpy(here, "/");
	for (size_t i = 0; i < 3; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", atoi(args[0]),
			 kinds[i].name);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			die_errno("no namespaces of process %s", args[0]);
	}
	for (size_t i = 0; i < 3; i++)
		if (setns(fds[i], kinds[i].flag) < 0)
			die_errno("cannot join the %s namespace",
				  kinds[i].name);
	become_root();
	if (chdir(here) < 0 && chdir("/") < 0)
		die_errno("chdir");
	execvp(args[1], args + 1);
	die_errno("cannot execute %s", args[1]);
}

static int open_pid(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		die_errno("no process %d", (int)pid);
	return fd;
}

static int beside(char **args)
{
	struct pollfd fds[2];
	int status;
	pid_t child;

	fds[0] = (struct pollfd){ .fd = open_pid(atoi(args[0])),
				  .events = POLLIN };
	child = fork();
	if (child < 0)
		die_errno("fork");
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		execvp(args[1], args + 1);
		die_errno("cannot execute %s", args[1]);
	}
	fds[1] = (struct pollfd){ .fd = open_pid(child), .events = POLLIN };
	while (poll(fds, 2, -1) < 0)
		continue;
	if (!fds[1].revents)
		kill(child, SIGKILL);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ?
	       WEXITSTATUS(status) : 125;
}

int main(int argc, char **argv)
{
	program_name = "rootless";
	if (argc == 8 && strcmp(argv[1], "hold") == 0)
		return hold(argv + 2);
	if (argc >= 4 && strcmp(argv[1], "join") == 0)
		return join(argv + 2);
	if (argc >= 4 && strcmp(argv[1], "beside") == 0)
		return beside(argv + 2);
	die("expected: hold UID SUBUID COUNT GID SUBGID COUNT, "
	    "join PID COMMAND... or beside PID COMMAND...");
}
