// SPDX-License-Identifier: Apache-2.0
/*
 * proxy: ports of the host on IPv6 that lead to an instance, where the rules of
 * the kernel cannot: from [::1], which is never forwarded, and to an instance
 * that has no IPv6.
 *
 * Theory. Nobody looks after us, so that we end by ourselves: with the network
 * device of the instance on the host, which the kernel removes with the last
 * process of its network namespace. Until that device has appeared, with the
 * process that starts the instance. What came in is passed on as it is, in both
 * directions; a side that has said all is told to the other, and a side that
 * does not read holds up its own connection alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "die.h"
#include "proxy.h"

/* watch_links() - told of devices that come and go, from before we look. */
static int watch_links(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK,
				 .nl_groups = RTMGRP_LINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
			NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die_errno("cannot watch network devices");
	return fd;
}

static bool starter_gone;

static void on_starter_end(struct source *source, uint32_t events)
{
	(void)events;
	starter_gone = true;
	close(source->fd);
	source->fd = -1;
}

/* watch_process() - a kernel without pidfd is asked at each turn. */
static void watch_process(struct source *source, pid_t pid)
{
	source->handle = on_starter_end;
	source->fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (source->fd >= 0)
		poll_add(source, EPOLLIN);
	else if (errno == ESRCH)
		starter_gone = true;
}

static void on_links(struct source *source, uint32_t events)
{
	char buf[8192];

	(void)events;
	/* What they say does not matter, nor that some were lost. */
	while (recv(source->fd, buf, sizeof(buf), 0) > 0 || errno == ENOBUFS)
		errno = 0;
}

/* device_there() - by a socket that is kept: with all descriptors in use there
 * would be none to ask with, and the device would seem gone. */
static bool device_there(const char *device)
{
	static int fd = -1;
	struct ifreq r = { 0 };

	if (fd < 0)
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die_errno("cannot ask for network devices");
	strncpy(r.ifr_name, device, sizeof(r.ifr_name) - 1);
	return ioctl(fd, SIOCGIFINDEX, &r) == 0;
}

/* over() - whether there is nobody any more whom we are for. */
static bool over(const char *device, pid_t starter, bool *seen)
{
	if (device_there(device))
		*seen = true;
	else if (*seen)
		return true;
	if (!*seen && kill(starter, 0) < 0 && errno == ESRCH)
		starter_gone = true;
	return !*seen && starter_gone;
}

/* ready() - tells who started us that all ports are open; from then on we have
 * no stream of anybody's. */
static void ready(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		exit(1);
	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
}

static void serve(const char *device, pid_t starter)
{
	struct source links = { .handle = on_links, .fd = watch_links() };
	struct source process;
	bool seen = false;

	if (!poll_add(&links, EPOLLIN))
		die_errno("epoll");
	watch_process(&process, starter);
	seen = device_there(device);
	ready();
	while (!over(device, starter, &seen)) {
		struct epoll_event events[64];
		/* The clock is for old datagram clients, and for a process
		 * that we cannot wait for. */
		int n = epoll_wait(poll_fd, events, 64, 1000);

		for (int i = 0; i < n; i++) {
			struct source *s = events[i].data.ptr;

			s->handle(s, events[i].events);
		}
		sweep();
	}
}

/* At most as many connections as descriptors: all that we may have. */
static void raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	char *end;
	long pid;

	program_name = "proxy";
	if (argc < 7 || (argc - 3) % 4 != 0)
		die("expected: DEVICE PID (PROTOCOL ADDRESS PORT ADDRESS,PORT)...");
	pid = strtol(argv[2], &end, 10);
	if (*end || pid <= 0)
		die("not a process: %s", argv[2]);
	signal(SIGPIPE, SIG_IGN);
	setsid();
	if (chdir("/") < 0)
		die_errno("chdir");
	raise_files();
	poll_open();
	for (int i = 3; i < argc; i += 4)
		listen_on(argv[i], argv[i + 1], argv[i + 2], argv[i + 3]);
	serve(argv[1], (pid_t)pid);
	return 0;
}
