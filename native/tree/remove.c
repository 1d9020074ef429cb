// SPDX-License-Identifier: Apache-2.0
/*
 * Removing a tree of any depth with two descriptors and no recursion: what is
 * found two levels down is renamed up into the directory being removed, whose
 * children are so flattened until none is left. Each directory moves once.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "entry.h"
#include "names.h"
#include "unpack.h"

#define DIR_READ (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Return: 0 removed, 1 a directory that is not empty, -errno. */
static int remove_one(int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return 0;
	return errno == ENOTEMPTY || errno == EEXIST ? 1 : -errno;
}

/* Moves @name of @from up into @top under a name that is free there. */
static int move_up(int top, int from, const char *name)
{
	static uint64_t serial;
	char fresh[40];

	for (;;) {
		snprintf(fresh, sizeof(fresh), ".remove-%llu",
			 (unsigned long long)serial++);
		if (syscall(SYS_renameat2, from, name, top, fresh,
			    1U /* RENAME_NOREPLACE */) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
}

/* Empties @name of @top, its own directories moved up. */
static int flatten(int top, const char *name)
{
	struct names names;
	int fd = openat(top, name, DIR_READ);
	int got;

	if (fd < 0)
		return -errno;
	got = names_read(&names, fd);
	for (size_t i = 0; got == 0 && i < names.count; i++) {
		got = remove_one(fd, names.at[i]);
		if (got == 1)
			got = move_up(top, fd, names.at[i]);
	}
	names_free(&names);
	close(fd);
	if (got == 0 && unlinkat(top, name, AT_REMOVEDIR) < 0)
		got = -errno;
	return got;
}

int remove_at(int dir, const char *name)
{
	int got = remove_one(dir, name);
	int top;

	if (got != 1)
		return got;
	top = openat(dir, name, DIR_READ);
	if (top < 0)
		return -errno;
	for (;;) {
		struct names names;
		size_t left;

		if (lseek(top, 0, SEEK_SET) < 0) {
			got = -errno;
			break;
		}
		got = names_read(&names, top);
		left = names.count;
		for (size_t i = 0; got == 0 && i < names.count; i++) {
			got = remove_one(top, names.at[i]);
			if (got == 1)
				got = flatten(top, names.at[i]);
		}
		names_free(&names);
		if (got < 0 || left == 0)
			break;
	}
	close(top);
	if (got == 0 && unlinkat(dir, name, AT_REMOVEDIR) < 0)
		got = -errno;
	return got;
}
