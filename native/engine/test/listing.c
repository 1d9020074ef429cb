// SPDX-License-Identifier: Apache-2.0
/*
 * A directory is read in small pieces while its names go away: `listing DIR
 * COUNT` holds that each of its COUNT names comes once, that an offset leads
 * back to where it was taken, and that a child goes on where its parent was.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT_MAX 10000

static unsigned char seen[COUNT_MAX];
static int wrong;

static void fail(const char *what, const char *name)
{
	printf("%s: %s\n", what, name);
	wrong = 1;
}

/* Takes the names of one piece, and removes every other. */
static long piece(int fd, char *buffer, size_t size)
{
	long n = syscall(SYS_getdents64, fd, buffer, size);

	for (long at = 0; at < n;) {
		struct dirent64 *e = (void *)(buffer + at);
		int i;

		at += e->d_reclen;
		if (e->d_name[0] == '.')
			continue;
		i = atoi(e->d_name + 1);
		if (i < 0 || i >= COUNT_MAX || seen[i]++)
			fail("told twice", e->d_name);
		else if (i % 2 && unlinkat(fd, e->d_name, 0) < 0)
			fail("not removed", e->d_name);
	}
	return n;
}

static void offsets(int fd)
{
	char one[512], other[512];
	long n, m, at = 0;

	lseek(fd, 0, SEEK_SET);
	for (int i = 0; i < 50; i++) {
		struct dirent64 *e = (void *)one;

		n = syscall(SYS_getdents64, fd, one, sizeof(one));
		if (n <= 0)
			break;
		lseek(fd, at, SEEK_SET);
		m = syscall(SYS_getdents64, fd, other, sizeof(other));
		if (m != n || memcmp(one, other, (size_t)n) != 0)
			fail("another answer at its offset", e->d_name);
		for (long o = 0; o < n; o += e->d_reclen) {
			e = (void *)(one + o);
			at = e->d_off;
		}
	}
}

int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDONLY | O_DIRECTORY), count, status = 1;
	char buffer[400];

	if (argc < 3 || fd < 0)
		return 2;
	count = atoi(argv[2]);
	for (int i = 0; i < 5; i++)
		piece(fd, buffer, sizeof(buffer));
	if (fork() == 0)
		_exit(piece(dup(fd), buffer, sizeof(buffer)) > 0 ? 0 : 1);
	wait(&status);
	if (status)
		fail("the child read nothing", "");
	while (piece(fd, buffer, sizeof(buffer)) > 0)
		;
	/* What the child took is missing here, and that alone. */
	status = 0;
	for (int i = 0; i < count; i++)
		status += !seen[i];
	if (status < 5 || status > 20)
		printf("%d names are missing\n", status), wrong = 1;
	offsets(fd);
	printf("%s\n", wrong ? "wrong" : "right");
	return wrong;
}
