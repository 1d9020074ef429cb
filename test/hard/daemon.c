// SPDX-License-Identifier: Apache-2.0
/*
 * A daemon of the old kind: forks twice, the first process ends, and the one
 * in the background reads what it needs only later. Its result goes to a log.
 */
#include <signal.h>
#include "check.h"

static void note(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(9);
	close(fd);
}

static void background(void)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	note("/run/hard-daemon.pid", pid);
	usleep(400000);
	check_text("/etc/hard/late.conf", "late\n");
	note("/run/hard-daemon.ready", check_failed ? "not ok\n" : "ok\n");
	for (;;)
		pause();
}

int main(void)
{
	if (!check_text("/etc/hard/early.conf", "early\n"))
		return 1;
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid > 0)
			_exit(0);
		setsid();
	}
	background();
	return 0;
}
