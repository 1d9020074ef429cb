// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "who.h"

#define MEANT_MAX 1024
#define DEPTH_MAX 64		/* of a chain of parents */
#define SLOTS 4096
#define PROGRAM_MAX 4096

struct known {
	pid_t pid;
	uint32_t epoch;		/* when it was asked */
	enum membership membership;
	char *program;
	size_t program_n;
};

static int proc_fd;
static pid_t roots[MEANT_MAX], sessions[MEANT_MAX];
static const char *cgroups[MEANT_MAX];
static size_t root_count, session_count, cgroup_count;
static struct known table[SLOTS];
static uint32_t epoch = 1;

static void add(pid_t *list, size_t *count, pid_t pid)
{
	if (*count == MEANT_MAX)
		die("more than %d processes", MEANT_MAX);
	list[(*count)++] = pid;
}

void who_root(pid_t pid)
{
	add(roots, &root_count, pid);
}

void who_session(pid_t sid)
{
	add(sessions, &session_count, sid);
}

void who_cgroup(const char *path)
{
	if (cgroup_count == MEANT_MAX)
		die("more than %d cgroups", MEANT_MAX);
	cgroups[cgroup_count++] = path;
}

void who_init(int proc)
{
	proc_fd = proc;
}

void who_tick(void)
{
	epoch++;
}

static bool among(const pid_t *list, size_t count, pid_t pid)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == pid)
			return true;
	return false;
}

/* read_proc() - bytes read, NUL added; -1 where the process has gone. */
static ssize_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%d/%s", (int)pid, name);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, size - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* The name in parentheses may hold anything, also a parenthesis. */
static bool parent_of(pid_t pid, pid_t *ppid, pid_t *sid)
{
	char buf[512], state;
	const char *at;
	int parent, group, session;

	if (read_proc(pid, "stat", buf, sizeof(buf)) <= 0)
		return false;
	at = strrchr(buf, ')');
	if (!at || sscanf(at + 1, " %c %d %d %d", &state, &parent, &group,
			  &session) != 4)
		return false;
	*ppid = parent;
	*sid = session;
	return true;
}

/* Lines are "ID:CONTROLLERS:PATH". */
static bool in_cgroup(pid_t pid)
{
	static char buf[16 << 10];
	char *rest = NULL;

	if (cgroup_count == 0 ||
	    read_proc(pid, "cgroup", buf, sizeof(buf)) <= 0)
		return false;
	for (char *line = strtok_r(buf, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		const char *path = strchr(line, ':');

		path = path ? strchr(path + 1, ':') : NULL;
		if (!path)
			continue;
		for (size_t i = 0; i < cgroup_count; i++) {
			size_t n = strlen(cgroups[i]);

			if (strncmp(path + 1, cgroups[i], n) == 0 &&
			    (path[n + 1] == '\0' || path[n + 1] == '/'))
				return true;
		}
	}
	return false;
}

static enum membership ask(pid_t pid)
{
	pid_t ppid, sid, at = pid;

	if (among(roots, root_count, pid))
		return WHO_INSIDE;
	for (int depth = 0; depth < DEPTH_MAX && at > 0; depth++) {
		if (!parent_of(at, &ppid, &sid))
			return at == pid ? WHO_GONE : WHO_OUTSIDE;
		if (among(roots, root_count, at) ||
		    (sid > 0 && among(sessions, session_count, sid)))
			return WHO_INSIDE;
		at = ppid;
	}
	return in_cgroup(pid) ? WHO_INSIDE : WHO_OUTSIDE;
}

static bool ask_program(struct known *k, pid_t pid)
{
	char path[32], text[PROGRAM_MAX];
	ssize_t n;
	char *copy;

	snprintf(path, sizeof(path), "%d/exe", (int)pid);
	n = readlinkat(proc_fd, path, text, sizeof(text));
	if (n < 0)
		n = 0;
	copy = realloc(k->program, (size_t)n + 1);
	if (!copy)
		return false;
	memcpy(copy, text, (size_t)n);
	k->program = copy;
	k->program_n = (size_t)n;
	return true;
}

static struct known *slot(pid_t pid)
{
	return &table[(uint32_t)pid % SLOTS];
}

void who_exec(pid_t pid)
{
	struct known *k = slot(pid);

	if (k->pid == pid) {
		k->epoch = epoch - 1;
		k->program_n = 0;
	}
}

struct who who_is(pid_t pid)
{
	struct known *k = slot(pid);
	enum membership m;

	if (k->pid != pid || k->epoch != epoch) {
		m = ask(pid);
		if (m != WHO_GONE || k->pid != pid) {
			k->pid = pid;
			k->membership = m;
			if (!ask_program(k, pid))
				k->program_n = 0;
		}
		k->epoch = epoch;
	}
	return (struct who){ k->membership, k->program, k->program_n };
}
