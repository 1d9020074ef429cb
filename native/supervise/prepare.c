// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "die.h"
#include "draft.h"
#include "prepare.h"
#include "remove.h"

/* More than the kernel takes as one command line. */
#define MESSAGE_MAX (4 << 20)

/* The ends of the two pipes that the child writes to. */
struct child_ends {
	int words;
	int parts;
};

__attribute__((noreturn))
static void become_child(char **args, pid_t parent, struct child_ends to,
			 const char *id)
{
	char value[160];

	/* Signals end us as they would end it: then it ends too. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die_errno("prctl");
	if (getppid() != parent)
		raise(SIGKILL);
	fcntl(to.words, F_SETFD, 0);
	fcntl(to.parts, F_SETFD, 0);
	snprintf(value, sizeof(value), "%d:%d:%s:%d", to.words, (int)parent, id,
		 to.parts);
	if (setenv("TRANSHIP_PREPARE", value, 1) < 0)
		die_errno("setenv");
	execv(args[0], args);
	die_errno("cannot execute %s", args[0]);
}

/* end_as() - what we have made for it is of no use. */
__attribute__((noreturn))
static void end_as(const struct prepared *p, const struct draft *d)
{
	int status;

	chain_end(p->chain);
	while (waitpid(p->node, &status, 0) < 0)
		if (errno != EINTR)
			die_errno("waitpid");
	draft_remove(d);
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

/*
 * wait_for() - until the child has something to say. What the first move into a
 * cgroup waits for, the others need not, as long as they come within some
 * milliseconds; on a busy machine not so often, and not for long: the child may
 * have a volume to fill. Meanwhile the trash is emptied, as nobody waits for
 * that now.
 */
static void wait_for(int fd, const char *trash)
{
	struct pollfd said = { .fd = fd, .events = POLLIN };
	int round = 0, pause;

	do {
		wake_cgroups();
		if (trash && !remove_next(trash))
			trash = NULL;
		pause = round < 15 ? 4 : 20;
	} while (round++ < 60 && poll(&said, 1, trash ? 0 : pause) == 0);
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
static void close_others(int words, int parts)
{
	DIR *list = opendir("/proc/self/fd");
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		int fd = atoi(entry->d_name);

		if (fd > 2 && fd != words && fd != parts && fd != dirfd(list))
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

/* wants_chain() - a detached instance is no chain of ours. */
static bool wants_chain(char *const *args)
{
	for (; *args; args++)
		if (strcmp(*args, "-d") == 0 || strcmp(*args, "--detach") == 0)
			return false;
	return true;
}

/* read_words() - NULL where the child has none for us. */
static char **read_words(int fd)
{
	size_t size = read_size(fd);
	char *text;

	if (size == 0)
		return NULL;
	text = malloc(size);
	if (!text)
		die_errno("cannot allocate memory");
	return read_all(fd, text, size) ? split(text, size) : NULL;
}

char **prepare(const char *self, char **args, struct prepared *p)
{
	pid_t parent = getpid();
	int words[2], parts[2];
	char **command;
	struct draft d;

	if (!args[0])
		die("expected: --prepare COMMAND");
	/* Where it is ignored, nobody could be waited for. */
	signal(SIGCHLD, SIG_DFL);
	open_streams();
	draft_name(&d, args);
	if (pipe2(words, O_CLOEXEC) < 0 || pipe2(parts, O_CLOEXEC) < 0)
		die_errno("pipe");
	p->node = fork();
	if (p->node < 0)
		die_errno("fork");
	if (p->node == 0)
		become_child(args, parent,
			     (struct child_ends){ words[1], parts[1] }, d.id);
	close_others(words[0], parts[0]);
	if (draft_make(&d)) {
		if (wants_chain(args))
			p->chain = chain_start_ahead(self, parts[0],
						     d.unfinished);
		draft_offer(&d);
	}
	close(parts[0]);
	if (p->chain)
		wait_for(words[0], d.trash);
	command = read_words(words[0]);
	if (!command)
		end_as(p, &d);
	close(words[0]);
	draft_remove(&d);
	return command;
}
