// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remove.h"

/* What instances with --rm leave behind is flat; what is not is no such thing. */
#define DEPTH_MAX 64

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool remove_at(int parent, const char *name, int depth);

static bool remove_below(int parent, const char *name, int depth)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool all = true;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir)))
		if (!is_dots(entry->d_name) &&
		    !remove_at(fd, entry->d_name, depth + 1))
			all = false;
	closedir(dir);
	return all;
}

/* remove_at() - Return: whether it is gone. */
static bool remove_at(int parent, const char *name, int depth)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return true;
	if (errno != EISDIR && errno != EPERM)
		return false;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	if (depth >= DEPTH_MAX || !remove_below(parent, name, depth))
		return false;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

bool remove_next(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool gone = false;

	if (!dir)
		return false;
	while (!gone && (entry = readdir(dir)))
		if (!is_dots(entry->d_name))
			gone = remove_at(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return gone;
}

void remove_tree(const char *path)
{
	remove_at(AT_FDCWD, path, 0);
}
