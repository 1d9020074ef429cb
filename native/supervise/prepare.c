// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "prepare.h"

/* More than the kernel takes as one command line. */
#define MESSAGE_MAX (4 << 20)

__attribute__((noreturn))
static void become_child(char **args, pid_t parent, int out)
{
	char value[64];

	/* Signals end us as they would end it: then it ends too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die_errno("prctl");
	if (getppid() != parent)
		raise(SIGKILL);
	snprintf(value, sizeof(value), "%d:%d", out, (int)parent);
	if (setenv("TRANSHIP_PREPARE", value, 1) < 0)
		die_errno("setenv");
	execv(args[0], args);
	die_errno("cannot execute %s", args[0]);
}

__attribute__((noreturn))
static void end_as(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die_errno("waitpid");
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Return: false where the other end was closed before @size bytes came. */
static bool read_all(int fd, char *to, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, to, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die_errno("cannot read the command");
		if (n == 0)
			return false;
		to += n;
		size -= (size_t)n;
	}
	return true;
}

/* Return: 0 where there is none. */
static size_t read_size(int fd)
{
	size_t size = 0;
	char digit;

	while (read_all(fd, &digit, 1)) {
		if (digit == 0)
			return size;
		if (digit < '0' || digit > '9')
			die("the command's size is no number");
		size = size * 10 + (size_t)(digit - '0');
		if (size > MESSAGE_MAX)
			die("the command is too long");
	}
	return 0;
}

static char **split(char *text, size_t size)
{
	size_t count = 0, used = 0;
	char **words;

	if (text[size - 1])
		die("the command is not whole");
	for (size_t i = 0; i < size; i++)
		count += !text[i];
	words = calloc(count + 1, sizeof(*words));
	if (!words)
		die_errno("cannot allocate memory");
	for (char *word = text; used < count; word += strlen(word) + 1)
		words[used++] = word;
	return words;
}

/*
 * close_others() - what else we were started with is the child's alone: whoever
 * waits for its end must not wait for ours, nor for that of what we start.
 */
static void close_others(int keep)
{
	DIR *list = opendir("/proc/self/fd");
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		int fd = atoi(entry->d_name);

		if (fd > 2 && fd != keep && fd != dirfd(list))
			close(fd);
	}
	if (list)
		closedir(list);
}

/* open_streams() - what is closed must not become our pipe. As Node does. */
static void open_streams(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			die_errno("cannot open /dev/null");
}

char **prepare(char **args, pid_t *child)
{
	pid_t self = getpid(), pid;
	size_t size;
	char *text;
	int ends[2];

	if (!args[0])
		die("expected: --prepare COMMAND");
	/* Where it is ignored, nobody could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	open_streams();
	if (pipe2(ends, O_CLOEXEC) < 0)
		die_errno("pipe");
	pid = fork();
	if (pid < 0)
		die_errno("fork");
	if (pid == 0) {
		fcntl(ends[1], F_SETFD, 0);
		become_child(args, self, ends[1]);
	}
	close_others(ends[0]);
	size = read_size(ends[0]);
	if (size == 0)
		end_as(pid);
	text = malloc(size);
	if (!text)
		die_errno("cannot allocate memory");
	if (!read_all(ends[0], text, size))
		end_as(pid);
	close(ends[0]);
	*child = pid;
	return split(text, size);
}
