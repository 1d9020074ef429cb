// SPDX-License-Identifier: Apache-2.0
/*
 * The simple end: nothing of the instance is left but files and leases, and
 * nobody will ask how it ended. src/runtime/supervise.ts says what is to be
 * looked at and done; src/runtime/end.ts does the same where more is to be done.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "die.h"
#include "end.h"
#include "note.h"
#include "steps.h"
#include "waiter.h"

/* name_in() - whether @name is one of the words of @list, "a,b,c". */
static bool name_in(const char *list, const char *name)
{
	size_t length = strlen(name);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == length && memcmp(list, name, n) == 0)
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

static bool holds_only(const char *path, const char *names)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool known = true;

	if (!dir)
		return errno == ENOENT;
	while (known && (entry = readdir(dir)))
		known = strcmp(entry->d_name, ".") == 0 ||
			strcmp(entry->d_name, "..") == 0 ||
			name_in(names, entry->d_name);
	closedir(dir);
	return known;
}

static bool is_simple(const struct config *c, int status)
{
	struct stat st;

	if (!c->set_aside.first)
		return false;
	for (size_t i = 0; i < c->gone_count; i++)
		if (lstat(c->gone[i], &st) == 0 || errno != ENOENT)
			return false;
	if (status > 0 && status <= 128 && lstat(c->spoke, &st) < 0)
		return false;
	for (size_t i = 0; i < c->only.count; i++)
		if (!holds_only(c->only.list[i].first, c->only.list[i].second))
			return false;
	return !c->small || lstat(c->small, &st) < 0 ||
	       (S_ISREG(st.st_mode) && st.st_size <= c->small_size);
}

/* free_lease() - if it is ours. */
static void free_lease(const char *link, const char *holder)
{
	char target[PATH_MAX];
	ssize_t n = readlink(link, target, sizeof(target));

	if (n < 0 || (size_t)n != strlen(holder) ||
	    memcmp(target, holder, (size_t)n) != 0)
		return;
	step("free lease");
	unlink(link);
}

/* touch() - as old as now, made where it is not there. */
static bool touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	bool done = fd >= 0 && futimens(fd, NULL) == 0;

	if (fd >= 0)
		close(fd);
	return done;
}

bool simple_end(const struct config *c, int status)
{
	char exit[EXIT_MAX];

	if (!is_simple(c, status))
		return false;
	read_exit(c->spoke, exit, sizeof(exit));
	step("remove instance directory");
	/* Where it is gone already, somebody else was quicker. */
	if (rename(c->set_aside.first, c->set_aside.second) < 0 &&
	    errno != ENOENT)
		return false;
	if (c->events) {
		step("note the end");
		note_end(c->events, c->heads.first, status, exit);
		note_removal(c->events, c->heads.second);
	}
	for (size_t i = 0; i < c->free.count; i++)
		free_lease(c->free.list[i].first, c->free.list[i].second);
	if (!c->used.first || access(c->used.first, F_OK) < 0)
		return true;
	return touch(c->used.second) &&
	       (waiter_alive(c->waiter) || start_waiter(c->waiter, c->idle.list));
}
