// SPDX-License-Identifier: Apache-2.0
/* The process that waits after the last instance: src/runtime/linger.ts. */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "read.h"
#include "steps.h"
#include "waiter.h"

bool waiter_alive(const char *file)
{
	char text[64], known[32], now[32];
	int pid;

	if (read_small(file, text, sizeof(text)) <= 0 ||
	    sscanf(text, "%d %31s", &pid, known) != 2 || pid <= 1)
		return false;
	return start_time(pid, now, sizeof(now)) && strcmp(now, known) == 0;
}

__attribute__((noreturn)) static void become(char *const *argv)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
	setsid();
	unsetenv("TRANSHIP_STEPS_PASSED");
	if (chdir("/") == 0)
		execv(argv[0], argv);
	_exit(127);
}

/* As src/host/files.ts: beside it, then renamed; its name names us. */
static bool replace(const char *file, const char *text)
{
	char path[PATH_MAX];
	int n = (int)(strrchr(file, '/') - file);
	int fd;
	bool written;

	snprintf(path, sizeof(path), "%.*s/.%d-%012x.tmp", n, file,
		 (int)getpid(), 0U);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	if (written && rename(path, file) == 0)
		return true;
	unlink(path);
	return false;
}

bool start_waiter(const char *file, char *const *argv)
{
	char text[64], time[32];
	pid_t pid;

	step("network waiter");
	pid = fork();
	if (pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		become(argv);
	}
	/* It is not waited for: whoever adopts it does that. */
	if (pid < 0 || !start_time(pid, time, sizeof(time)))
		return false;
	snprintf(text, sizeof(text), "%d %s\n", (int)pid, time);
	return replace(file, text);
}
