// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors that a program gets and does not open: a file as its input, and
 * a socket that listens already, as inetd and systemd hand it over.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include "check.h"

static int activated(void)
{
	const char *fds = getenv("LISTEN_FDS");
	int client;
	char page[64];
	ssize_t n;
	int fd;

	if (!fds || strcmp(fds, "1") != 0)
		return 1;
	client = accept(3, NULL, NULL);
	fd = open("/srv/inherited/page", O_RDONLY);
	n = read(fd, page, sizeof(page));
	return client < 0 || n <= 0 || write(client, page, (size_t)n) != n;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof(at);
	int listener, fd;
	pid_t pid;

	if (argc > 1)
		return activated();
	(void)argv;
	check_fd("input", 0, "from the shell\n");
	check_fd("fifth", 5, "the fifth\n");
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	check("listens", bind(listener, (struct sockaddr *)&at, size) == 0 &&
				 listen(listener, 1) == 0 &&
				 getsockname(listener, (struct sockaddr *)&at,
					     &size) == 0);
	pid = fork();
	if (pid == 0) {
		dup2(listener, 3);
		setenv("LISTEN_FDS", "1", 1);
		execl("/usr/bin/inherited", "inherited", "activated",
		      (char *)NULL);
		_exit(9);
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	check("connected", connect(fd, (struct sockaddr *)&at, size) == 0);
	check_fd("answer", fd, "the page\n");
	check_child("activated", pid);
	return check_failed;
}
