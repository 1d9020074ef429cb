// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "die.h"
#include "read.h"

ssize_t read_small(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n < 0 ? 0 : n] = 0;
	return n;
}

/* Field 22 of /proc/PID/stat. */
bool start_time(int pid, char *buf, size_t size)
{
	char path[64], stat[1024], *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (read_small(path, stat, sizeof(stat)) <= 0)
		return false;
	/* The name in field 2 may hold anything. */
	at = strrchr(stat, ')');
	if (!at || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X')
		return false;
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return false;
	snprintf(buf, size, "%.*s", (int)strcspn(at + 1, " \n"), at + 1);
	return true;
}

char *read_whole(const char *file, size_t limit, size_t *size)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		die_errno("cannot read %s", file);
	if (st.st_size < 0 || (size_t)st.st_size > limit)
		die("%s is too long: %lld bytes", file, (long long)st.st_size);
	*size = (size_t)st.st_size;
	text = malloc(*size + 1);
	if (!text)
		die_errno("cannot allocate memory");
	for (size_t done = 0; done < *size; done += (size_t)n) {
		n = read(fd, text + done, *size - done);
		if (n <= 0)
			die_errno("cannot read %s", file);
	}
	close(fd);
	text[*size] = 0;
	return text;
}
