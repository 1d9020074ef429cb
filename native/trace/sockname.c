// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. The socket is asked by a copy of its descriptor. Kernels before 5.6
 * give no copy: there its inode is looked for in the tables of the task's
 * network namespace.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "resolve.h"
#include "sockname.h"
#include "without.h"

#define NR_PIDFD_GETFD 438
#define UNIX_INODE 6	/* column of /proc/net/unix; the path is the next */
#define INET_LOCAL 1
#define INET_INODE 9

static socklen_t by_copy(struct task *t, int fd, struct sockaddr_storage *addr)
{
	socklen_t n = sizeof(*addr);
	int pidfd = (int)syscall(SYS_pidfd_open, task_tgid(t), 0);
	int copy;

	if (pidfd < 0)
		return 0;
	copy = (int)syscall(NR_PIDFD_GETFD, pidfd, fd, 0);
	close(pidfd);
	if (copy < 0)
		return 0;
	if (getsockname(copy, (struct sockaddr *)addr, &n) < 0)
		n = 0;
	close(copy);
	return n > sizeof(*addr) ? 0 : n;
}

static unsigned long inode_of(struct task *t, int fd)
{
	char file[48], link[64];
	long n;

	snprintf(file, sizeof(file), "/proc/%d/fd/%d", (int)t->pid, fd);
	n = readlink(file, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	return strncmp(link, "socket:[", 8) == 0 ? strtoul(link + 8, NULL, 10)
						 : 0;
}

/* column() - the start of column @nth of a line, or its end. */
static const char *column(const char *line, int nth)
{
	line += strspn(line, " ");
	while (nth-- > 0) {
		line += strcspn(line, " \n");
		line += strspn(line, " ");
	}
	return line;
}

/* The address stands there as words in the order of the machine. */
static socklen_t inet_name(const char *line, bool six,
			   struct sockaddr_storage *addr)
{
	struct sockaddr_in *in = (void *)addr;
	struct sockaddr_in6 *in6 = (void *)addr;
	const char *at = column(line, INET_LOCAL);
	uint32_t words[4] = { 0, 0, 0, 0 };
	in_port_t port;

	for (int i = 0; i < (six ? 4 : 1); i++, at += 8) {
		char digits[9] = "";

		memcpy(digits, at, strnlen(at, 8));
		words[i] = (uint32_t)strtoul(digits, NULL, 16);
		if (strlen(digits) < 8)
			return 0;
	}
	port = htons((uint16_t)strtoul(at + (*at == ':'), NULL, 16));
	if (six) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = port;
		memcpy(&in6->sin6_addr, words, 16);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = port;
	memcpy(&in->sin_addr, words, 4);
	return sizeof(*in);
}

static socklen_t unix_name(const char *line, struct sockaddr_storage *addr)
{
	struct sockaddr_un *un = (void *)addr;
	const char *at = column(line, UNIX_INODE + 1);
	size_t n = strcspn(at, "\n");

	if (n > sizeof(un->sun_path))
		return 0;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, at, n);
	if (n > 0 && at[0] == '@')
		un->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static socklen_t by_table(const struct task *t, const char *table,
			  unsigned long inode, struct sockaddr_storage *addr)
{
	bool local = strcmp(table, "unix") == 0;
	char file[48], line[512];
	socklen_t n = 0;
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%d/net/%s", (int)t->pid, table);
	f = fopen(file, "re");
	while (f && n == 0 && fgets(line, sizeof(line), f)) {
		const char *at = column(line, local ? UNIX_INODE : INET_INODE);

		if (strtoul(at, NULL, 10) == inode)
			n = local ? unix_name(line, addr)
				  : inet_name(line, table[3] == '6', addr);
	}
	if (f)
		fclose(f);
	return n;
}

socklen_t sockname(struct task *t, int fd, struct sockaddr_storage *addr)
{
	static const char *const tables[] = { "tcp", "tcp6", "unix", "udp",
					      "udp6" };
	socklen_t n = without.pidfd ? 0 : by_copy(t, fd, addr);
	unsigned long inode;

	if (n > 0)
		return n;
	inode = inode_of(t, fd);
	for (size_t i = 0; inode && n == 0 &&
			   i < sizeof(tables) / sizeof(tables[0]); i++)
		n = by_table(t, tables[i], inode, addr);
	return n;
}
