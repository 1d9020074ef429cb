// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "look.h"
#include "without.h"

#define NR_FACCESSAT2 439

bool lookups_off;

int lookup(const struct name *name, bool nofollow, struct stat *st)
{
	int flags = AT_NO_AUTOMOUNT | (nofollow ? AT_SYMLINK_NOFOLLOW : 0);

	return fstatat(AT_FDCWD, name->text, st, flags) < 0 ? -errno : 0;
}

int may(const struct name *name, int mode, bool nofollow)
{
	int flags = AT_EACCESS | (nofollow ? AT_SYMLINK_NOFOLLOW : 0);

	if (without.faccessat2)
		return -ENOSYS;
	return syscall(NR_FACCESSAT2, AT_FDCWD, name->text, mode, flags) < 0
		       ? -errno : 0;
}

/* look_below() - @rel with the directory @root as its root. */
static int look_below(int root, const char *rel, bool nofollow,
		      struct stat *st)
{
	struct open_how how = {
		.flags = (uint64_t)(O_PATH | O_CLOEXEC |
				    (nofollow ? O_NOFOLLOW : 0)),
		.resolve = RESOLVE_IN_ROOT,
	};
	int fd = -1, result = 0;

	errno = ENOSYS;
	if (!without.openat2)
		fd = (int)syscall(SYS_openat2, root, rel, &how, sizeof(how));
	if (fd >= 0) {
		if (fstat(fd, st) < 0)
			result = -errno;
		close(fd);
		return result;
	}
	if (errno != ENOSYS)
		return -errno;
	/* Links with an absolute target are followed in the wrong root. */
	while (*rel == '/')
		rel++;
	return fstatat(root, *rel ? rel : ".", st,
		       nofollow ? AT_SYMLINK_NOFOLLOW : 0) < 0 ? -errno : 0;
}

int look(const struct task *t, const struct name *name, bool nofollow,
	 struct stat *st)
{
	size_t top = t->fs->root_n;
	char file[40];
	int root, result;

	if (lookups_off)
		return 1;
	if (name->plain)
		return lookup(name, nofollow, st);
	snprintf(file, sizeof(file), "/proc/%d/root", (int)t->pid);
	root = open(file, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return 1;
	if (name->n < top || memcmp(name->text, t->fs->root, top) != 0)
		top = 0;
	result = look_below(root, name->text + top, nofollow, st);
	close(root);
	return result;
}

bool existed(const struct task *t, const struct name *name, bool nofollow)
{
	struct stat st;

	return look(t, name, nofollow, &st) >= 0;
}

bool fd_is_directory(const struct task *t, int fd)
{
	struct stat st;
	char file[48];

	snprintf(file, sizeof(file), "/proc/%d/fd/%d", (int)t->pid, fd);
	return stat(file, &st) == 0 && S_ISDIR(st.st_mode);
}
