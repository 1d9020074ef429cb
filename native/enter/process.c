// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

#include "frame.h"
#include "identity.h"
#include "process.h"
#include "report.h"
#include "sys.h"

static const int passed_on[] = {
	SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH,
};

static sigset_t waited_for;	/* blocked while we guard */
static sigset_t inherited;	/* given back to the command */
static int ready_fd = -1;	/* child: one byte says ready, and overlay_api */
static int go_fd = -1;		/* child: one byte says go on */

static void close_from(int first)
{
	struct dirent *entry;
	DIR *dir;

	if (sys_close_range((unsigned int)first, 0) == 0)
		return;
	dir = opendir("/proc/self/fd");
	while (dir && (entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd >= first && fd != dirfd(dir))
			close(fd);
	}
	if (dir)
		closedir(dir);
}

static void close_on_exec_from(int first)
{
	struct dirent *entry;
	DIR *dir;

	if (sys_close_range((unsigned int)first, TR_CLOSE_RANGE_CLOEXEC) == 0)
		return;
	dir = opendir("/proc/self/fd");
	if (!dir)
		fail_errno("cannot list the open descriptors");
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (fd >= first)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	closedir(dir);
}

void process_tie(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_errno("prctl");
}

void process_begin(const struct config *c)
{
	sigemptyset(&waited_for);
	sigaddset(&waited_for, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&waited_for, passed_on[i]);
	/* Inherited as ignored, children would vanish without a status. */
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &waited_for, &inherited) < 0)
		fail_errno("sigprocmask");
	if (!c->survive_parent || c->parent) {
		process_tie();
		/* It may have died before that. */
		if (c->parent && getppid() != c->parent)
			fail("the caller, process %d, is gone", (int)c->parent);
	}
	close_on_exec_from(3);
}

void process_wait_word(const struct config *c)
{
	char word;

	if (c->wait_fd < 0)
		return;
	if (read_all(c->wait_fd, &word, 1) != 1)
		fail("given up by the caller");
	close(c->wait_fd);
}

/* forward() - to @main, or to all that is left when it has ended. */
static void forward(const siginfo_t *info, pid_t main_pid, bool own_session)
{
	/* The terminal has told the command itself already. */
	if (info->si_code == SI_KERNEL && !own_session)
		return;
	if (main_pid > 0)
		kill(main_pid, info->si_signo);
	else if (getpid() == 1)
		kill(-1, info->si_signo);
}

/* guard() - Return: the exit status that stands for how @main_pid ended. */
static int guard(pid_t main_pid, bool linger, bool own_session)
{
	int result = EXIT_SETUP;

	for (;;) {
		siginfo_t info;
		int status;
		pid_t pid;

		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid != main_pid)
				continue;
			result = WIFEXITED(status) ? WEXITSTATUS(status) :
						     128 + WTERMSIG(status);
			main_pid = -1;
		}
		if (main_pid < 0 && (!linger || (pid < 0 && errno == ECHILD)))
			return result;
		if (sigwaitinfo(&waited_for, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD)
			forward(&info, main_pid, own_session);
	}
}

void process_split(const struct config *c)
{
	int ready[2], go[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0)
		fail_errno("pipe");
	pid = fork();
	if (pid < 0)
		fail_errno("fork");
	if (pid == 0) {
		close(ready[0]);
		close(go[1]);
		ready_fd = ready[1];
		go_fd = go[0];
		process_tie();
		return;
	}
	close(ready[1]);
	close(go[0]);
	/* No byte: the child has said why, or was killed. */
	if (read_all(ready[0], &byte, 1) == 1) {
		overlay_api = (enum overlay_api)byte;
		report_pid(pid);
		process_wait_word(c);
		(void)!write_all(go[1], &byte, 1);
	}
	close_from(3);
	_exit(guard(pid, false, c->new_session));
}

void process_ready(void)
{
	char byte = (char)overlay_api;

	if (write_all(ready_fd, &byte, 1) < 0 || read_all(go_fd, &byte, 1) != 1)
		_exit(EXIT_SETUP);	/* the parent is gone */
	close(ready_fd);
	close(go_fd);
}

/*
 * clone_runtime() - crun executes itself anew from a read-only mount of its
 * own, so that nobody inside can write to it by /proc/PID/exe, unless it finds
 * that it was started from one, and told so. We make that mount: cheaper than
 * a second start of crun with all its libraries. Return: a descriptor, or -1
 * where the kernel cannot, and crun does it as it always does.
 */
static int clone_runtime(const char *path)
{
	const struct tr_mount_attr attr = { .attr_set = TR_MOUNT_ATTR_RDONLY };
	struct statvfs st;
	int fd = sys_open_tree(AT_FDCWD, path, TR_OPEN_TREE_CLONE | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (sys_mount_setattr(fd, 0, &attr) == 0 && fstatvfs(fd, &st) == 0 &&
	    st.f_flag & ST_RDONLY &&
	    setenv("_LIBCONTAINER_CLONED_BINARY", "1", 1) == 0)
		return fd;
	close(fd);
	return -1;
}

static void exec_fd(int fd, char **argv)
{
	extern char **environ;

	syscall(SYS_execveat, fd, "", argv, environ, TR_AT_EMPTY_PATH);
	fail_exec(argv[0]);
}

static void null_stdin(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0)
		fail_errno("cannot open /dev/null");
	if (null > 0)
		close(null);
}

/* enter_cgroups() - 0 is who writes. */
static void enter_cgroups(const struct config *c)
{
	for (size_t i = 0; i < c->cgroup_count; i++) {
		char path[PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s/cgroup.procs", c->cgroups[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			fail_errno("cannot go into the control group %s",
				   c->cgroups[i]);
		close(fd);
	}
}

void process_exec(const struct config *c)
{
	int clone;

	enter_cgroups(c);
	if (c->new_session)
		setsid();
	if (c->null_stdin)
		null_stdin();
	if (c->chdir && chdir(c->chdir) < 0)
		fail_errno("cannot enter directory %s", c->chdir);
	for (size_t i = 0; i < c->keep_count; i++)
		if (fcntl(c->keep_fds[i], F_SETFD, 0) < 0)
			fail_errno("--keep-fd %d", c->keep_fds[i]);
	sigprocmask(SIG_SETMASK, &inherited, NULL);
	if (c->exec_fd >= 0)
		exec_fd(c->exec_fd, c->argv);
	clone = c->cloned_runtime ? clone_runtime(c->argv[0]) : -1;
	if (clone >= 0)
		exec_fd(clone, c->argv);
	if (!getenv("PATH"))
		setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
		       "/usr/bin:/sbin:/bin", 1);
	execvp(c->argv[0], c->argv);
	fail_exec(c->argv[0]);
}

void process_guard(const struct config *c)
{
	pid_t pid;

	/* Where we are not PID 1, orphans still come to us. */
	if (getpid() != 1)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		fail_errno("fork");
	if (pid == 0) {
		pid_t parent = getppid();

		identity_take(c);
		/* After the change of user, which unties. */
		process_tie();
		if (getppid() != parent)
			_exit(EXIT_SETUP);
		process_exec(c);
	}
	close_from(3);
	_exit(guard(pid, c->linger, c->new_session));
}
