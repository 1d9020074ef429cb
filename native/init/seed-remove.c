// SPDX-License-Identifier: Apache-2.0
/*
 * A tree of any depth with three descriptors and no recursion: directories
 * with something in them move up into the uppermost one, under numbers, and
 * are emptied from there until none is left. Nothing but ours is in that one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "seed-parts.h"

enum removed { REMOVED, FULL, KEPT };

static enum removed remove_one(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return REMOVED;
	if (errno != EISDIR && errno != EPERM)
		return KEPT;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return REMOVED;
	return errno == ENOTEMPTY || errno == EEXIST ? FULL : KEPT;
}

static bool move_up(int top, int dir, const char *name)
{
	static unsigned long number;
	char fresh[24];

	for (;;) {
		snprintf(fresh, sizeof(fresh), "%lu", number++);
		if (renameat(dir, name, top, fresh) == 0)
			return true;
		if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
			return false;
	}
}

static DIR *open_full(int dir, const char *name)
{
	int fd;
	DIR *opened;

	/* Its owner without root's rights must be able to write there. */
	fchmodat(dir, name, 0700, 0);
	fd = openat(dir, name, SEED_DIRECTORY);
	opened = fd < 0 ? NULL : fdopendir(fd);
	if (!opened && fd >= 0)
		close(fd);
	return opened;
}

/* One pass over @name of @dir; @top is -1 for the uppermost directory. */
static bool empty(int dir, const char *name, int top, bool *found);

static bool empty_entry(int dir, int top, const char *name)
{
	bool found;

	switch (remove_one(dir, name)) {
	case REMOVED:
		return true;
	case KEPT:
		return false;
	default:
		break;
	}
	if (top < 0)
		return empty(dir, name, dir, &found) &&
			(unlinkat(dir, name, AT_REMOVEDIR) == 0 ||
			 errno == ENOTEMPTY || errno == EEXIST);
	fchmodat(dir, name, 0700, 0);
	return move_up(top, dir, name);
}

static bool empty(int dir, const char *name, int top, bool *found)
{
	DIR *opened = open_full(dir, name);
	struct dirent *entry;
	bool ok = opened;

	*found = false;
	errno = 0;
	while (ok && (entry = readdir(opened))) {
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0) {
			*found = true;
			ok = empty_entry(dirfd(opened), top, entry->d_name);
		}
		if (ok)
			errno = 0;
	}
	if (ok && errno)
		ok = false;
	if (opened) {
		int saved = errno;

		closedir(opened);
		errno = saved;
	}
	return ok;
}

bool seed_remove(int dir, const char *name)
{
	bool found;

	for (;;) {
		enum removed got = remove_one(dir, name);

		if (got != FULL)
			return got == REMOVED;
		if (!empty(dir, name, -1, &found))
			return false;
		/* Read to its end and still not empty: someone else writes. */
		if (!found) {
			errno = ENOTEMPTY;
			return false;
		}
	}
}
