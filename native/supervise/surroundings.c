// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "die.h"
#include "read.h"
#include "surroundings.h"

/* As the kernel has it; the C library may be older than it. */
struct how {
	uint64_t flags, mode, resolve;
};
#define IN_ROOT 0x10	/* RESOLVE_IN_ROOT */

#define ENVIRONMENT_MAX (4 << 20)
#define GROUPS_MAX 256

static void enter_directory(const struct pair *d)
{
	struct how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
			   .resolve = IN_ROOT };
	int root = open(d->first, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		die_errno("cannot enter %s", d->first);
	fd = (int)syscall(SYS_openat2, root, d->second, &how, sizeof(how));
	/* Before kernel 5.6 links cannot be kept inside. */
	if (fd < 0 && errno == ENOSYS)
		fd = dup(root);
	if (fd < 0 || fchdir(fd) < 0)
		die_errno("cannot enter the working directory %s", d->second);
	close(fd);
	close(root);
}

static void set_environment(const char *file)
{
	size_t size;
	char *text = read_whole(file, ENVIRONMENT_MAX, &size);

	if (clearenv() != 0)
		die_errno("clearenv");
	for (char *at = text; at < text + size; at += strlen(at) + 1)
		if (strchr(at, '=') && putenv(at) != 0)
			die_errno("putenv");
}	/* NOLINT(clang-analyzer-unix.Malloc): the environment keeps it */

/* next_id() - the number at *at, which goes behind it and a colon. */
static unsigned int next_id(const char **at)
{
	char *end;
	unsigned long id;

	errno = 0;
	id = strtoul(*at, &end, 10);
	if (end == *at || errno || id >= UINT32_MAX || (*end && *end != ':'))
		die("not a user: %s", *at);
	*at = *end ? end + 1 : end;
	return (unsigned int)id;
}

static void become_user(const char *text)
{
	gid_t groups[GROUPS_MAX], gid;
	size_t count = 0;
	uid_t uid;

	uid = next_id(&text);
	gid = next_id(&text);
	while (*text && count < GROUPS_MAX)
		groups[count++] = next_id(&text);
	if (setgroups(count, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		die_errno("cannot become user %u", uid);
}

/* tell_main() - who we are stays the same when we become the command. */
static void tell_main(const char *file)
{
	char start[32], line[64];
	int fd, n;

	if (!start_time(getpid(), start, sizeof(start)))
		die("cannot read our own start time");
	n = snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), start);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		die_errno("cannot write %s", file);
	close(fd);
}

void surroundings(const struct config *c, pid_t parent)
{
	/* The user that it becomes may not write there. */
	if (c->main_file)
		tell_main(c->main_file);
	if (c->directory.first)
		enter_directory(&c->directory);
	if (c->environment)
		set_environment(c->environment);
	if (c->user)
		become_user(c->user);
	/* Another user would lose it again. */
	if (c->bound && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die_errno("prctl");
	if (c->bound && getppid() != parent)
		raise(SIGKILL);
	/* Last: it would hold us too. */
	if (c->confine.first)
		confine(c->confine.first, c->confine.second);
}
