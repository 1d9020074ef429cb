// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "options.h"
#include "paths.h"
#include "report.h"
#include "sys.h"

/* The tree being built; "/" itself in `launch`. */
static int root_fd = -1;

const char *host_prefix = "";

void fd_path(char buf[FD_PATH_SIZE], int fd)
{
	snprintf(buf, FD_PATH_SIZE, "%s/proc/self/fd/%d", host_prefix, fd);
}

bool is_directory(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail_errno("fstat");
	return S_ISDIR(st.st_mode);
}

/* walk_in_root() - for kernels without openat2: links are refused. */
static int walk_in_root(int root, const char *path)
{
	int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
	char name[NAME_MAX + 1];

	while (at >= 0 && *path) {
		size_t n = strcspn(path, "/");
		struct stat st;
		int fd;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			break;
		}
		memcpy(name, path, n);
		name[n] = 0;
		path += n + (path[n] == '/');
		if (n == 0 || strcmp(name, ".") == 0)
			continue;
		fd = -1;
		errno = ELOOP;
		if (strcmp(name, "..") != 0)
			fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))) {
			close(fd);
			fd = -1;
			errno = ELOOP;
		}
		if (fd < 0)
			break;
		close(at);
		at = fd;
		if (!*path)
			return at;
	}
	if (at >= 0 && !*path)
		return at;
	if (at >= 0) {
		int saved = errno;

		close(at);
		errno = saved;
	}
	return -1;
}

int open_in_root(int root, const char *path)
{
	const struct tr_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = TR_RESOLVE_IN_ROOT | TR_RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do {
		fd = sys_openat2(root, path, &how);
	} while (fd < 0 && errno == EAGAIN);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return walk_in_root(root, path);
	return fd;
}

int target_find(const char *path)
{
	return open_in_root(root_fd, path);
}

static int open_parent(const char *path, const char **name);

int target_open(const char *path, bool dir)
{
	int fd = target_find(path);
	cleanup_fd int parent = -1;
	const char *name;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		fail_errno("cannot open %s", path);
	parent = open_parent(path, &name);
	if (dir) {
		if (mkdirat(parent, name, 0755) < 0)
			fail_errno("cannot make directory %s", path);
	} else {
		fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL |
			    O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0)
			fail_errno("cannot make file %s", path);
		close(fd);
	}
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("cannot open %s", path);
	return fd;
}

static int open_parent(const char *path, const char **name)
{
	cleanup_free char *parent = strdup(path);
	size_t n = strlen(path);

	if (!parent)
		fail_errno("cannot allocate memory");
	while (n > 0 && path[n - 1] != '/')
		n--;
	*name = path + n;
	if (**name == 0 || strcmp(*name, "..") == 0 || strcmp(*name, ".") == 0)
		fail("not a plain path to mount at: %s", path);
	parent[n > 1 ? n - 1 : 1] = 0;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): cleanup_free */
	return target_open(parent, true);
}

int root_reopen(void)
{
	int fd = open(*host_prefix ? "/newroot" : "/",
		      O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_errno("cannot open the new root");
	if (root_fd >= 0)
		close(root_fd);
	root_fd = fd;
	return fd;
}

int target_of(const struct op *op, bool dir)
{
	if (strcmp(op->target, "/") == 0)
		return root_reopen();
	return target_open(op->target, dir);
}
