// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "process.h"

struct family {
	pid_t parent, group, session;
};

static bool read_family(pid_t pid, struct family *f)
{
	char path[32], text[512], *at, state;
	cleanup_fd int fd = -1;
	long n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read_all(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return false;
	text[n] = 0;
	/* The name may hold spaces and parentheses: the last one ends it. */
	at = strrchr(text, ')');
	return at && sscanf(at + 1, " %c %d %d %d", &state, &f->parent,
			    &f->group, &f->session) == 4 &&
		state != 'Z' && state != 'X';
}

bool process_family(pid_t pid, pid_t *parent, pid_t *session)
{
	struct family f;

	if (!read_family(pid, &f))
		return false;
	*parent = f.parent;
	*session = f.session;
	return true;
}

static int each(pid_t session, pid_t parent, int signal)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	struct family f;
	int count = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		pid_t pid = atoi(entry->d_name);

		if (pid <= 1 || pid == getpid() || !read_family(pid, &f))
			continue;
		if (session ? f.session != session && f.group != session :
		    f.parent != parent)
			continue;
		count++;
		if (signal)
			kill(pid, signal);
	}
	closedir(dir);
	return count;
}

int processes_of_session(pid_t session, int signal)
{
	int count;

	if (session <= 1)
		return 0;
	count = each(session, 0, signal);
	if (count >= 0)
		return count;
	/* Without /proc: at least its first group. */
	return kill(-session, signal) == 0;
}

int processes_of_parent(int signal)
{
	int count = each(0, getpid(), signal);

	return count < 0 ? 0 : count;
}
