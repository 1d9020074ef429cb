// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inherited.h"
#include "record.h"
#include "sockname.h"

static void inherited_socket(pid_t cmd, int fd)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr);
	struct bind_record b;

	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0 ||
	    n > sizeof(addr))
		return;
	b = bind_from(&addr, n);
	b.kind = 4;
	if (b.address.n > 0)
		record_bind(cmd, &b);
}

/* same_here() - whether the name leads to that file in this root, too: what the
 * caller opened before it went into the root may be named like anything. An
 * overlay shows a file below it with its number, but as another device. */
static bool same_here(const char *path, const struct stat *st)
{
	struct stat here;

	return stat(path, &here) == 0 && here.st_ino == st->st_ino &&
	       here.st_mode == st->st_mode;
}

static void inherited_file(pid_t cmd, int fd, const struct stat *st)
{
	struct path_record r = { .op = OP_READ, .flags = PATH_INHERITED |
				 PATH_EXISTED, .second = { "", 0 } };
	char file[40], link[4097];
	int flags = fcntl(fd, F_GETFL);
	long n;

	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	n = readlink(file, link, sizeof(link));
	if (flags < 0 || n <= 0 || link[0] != '/' || st->st_nlink == 0)
		return;
	link[n < 4096 ? n : 4096] = '\0';
	/* Where the words go is the caller's affair. */
	if (((flags & O_ACCMODE) != O_RDONLY && fd <= STDERR_FILENO) ||
	    !same_here(link, st))
		return;
	if (S_ISDIR(st->st_mode))
		r.op = OP_LIST;
	else if ((flags & O_ACCMODE) != O_RDONLY)
		r.op = OP_WRITE;
	r.result = fd;
	r.path = (struct span){ link, (size_t)n };
	record_path(cmd, &r, record_key(&r, 0));
}

void report_inherited(pid_t cmd, int but)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == but ||
		    fd == dirfd(dir) || fstat(fd, &st) < 0 ||
		    (fcntl(fd, F_GETFD) & FD_CLOEXEC))
			continue;
		if (S_ISSOCK(st.st_mode))
			inherited_socket(cmd, fd);
		else
			inherited_file(cmd, fd, &st);
	}
	if (dir)
		closedir(dir);
}
