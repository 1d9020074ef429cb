/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of the hard cases have in common: each prints what it
 * saw, a line a check, and ends with 1 where something was wrong. They print
 * nothing that two runs do not have in common.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static int check_failed;

__attribute__((unused)) static int check(const char *what, int good)
{
	if (good) {
		printf("ok %s\n", what);
	} else {
		printf("not ok %s (%s)\n", what, strerror(errno));
		check_failed = 1;
	}
	fflush(stdout);
	return good;
}

/* check_text() - the file holds exactly this. */
__attribute__((unused)) static int check_fd(const char *what, int fd,
					    const char *text)
{
	char have[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, have, sizeof(have) - 1);

	if (fd >= 0)
		close(fd);
	if (n >= 0)
		have[n] = '\0';
	return check(what, n >= 0 && strcmp(have, text) == 0);
}

__attribute__((unused)) static int check_text(const char *path,
					      const char *text)
{
	return check_fd(path, open(path, O_RDONLY), text);
}

/* check_child() - it ended with status 0. */
__attribute__((unused)) static int check_child(const char *what, pid_t pid)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return check(what, pid > 0 && status == 0);
}

#endif
