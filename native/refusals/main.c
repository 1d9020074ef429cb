// SPDX-License-Identifier: Apache-2.0
/*
 * refusals --socket PATH --log FILE --instance ID --pid PID --ready FD
 *
 * Answers for the system calls that an instance's filter does not allow: each
 * is refused with EPERM, and written down (tell.h).
 *
 * Theory. The filter gives such a call to a listener, a descriptor that the OCI
 * runtime makes with the filter and sends to PATH, one for the instance and one
 * for each later command in it. The task waits in the kernel until we answer.
 * We look at it only to say who asked: nothing that it could change while we
 * look decides about the answer, which is always no. When we die, the kernel
 * answers ENOSYS in our place: a refusal still, but one that nobody tells.
 *
 * We end when the last task of each filter has gone (the listener hangs up),
 * or PID (the runtime) ended without having sent one. enter starts us outside
 * of the namespaces that it makes, so that we keep none of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "die.h"
#include "tell.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define LISTENERS_MAX 256
#define AT_SOCKET 0
#define AT_RUNTIME 1
#define AT_LISTENERS 2

static struct pollfd fds[AT_LISTENERS + LISTENERS_MAX];
static size_t listeners;
static struct seccomp_notif_sizes sizes;
static struct seccomp_notif *notice;
static struct seccomp_notif_resp *reply;

static void *must_alloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		die_errno("cannot allocate memory");
	return p;
}

/* read_exe() - the program of a process as its own root shows it, "" where it
 * has gone. */
static void read_exe(pid_t pid, char *exe, size_t room)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	n = readlink(path, exe, room - 1);
	exe[n < 0 ? 0 : n] = 0;
}

/* refuse() - one call that waits at @listener. */
static void refuse(int listener)
{
	char exe[EXE_MAX];
	uint64_t id;

	memset(notice, 0, sizes.seccomp_notif);
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notice) < 0)
		return;		/* it has ended, or a signal took it away */
	id = notice->id;
	read_exe((pid_t)notice->pid, exe, sizeof(exe));
	/* The pid may be another's by now: then nobody is named. */
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0)
		exe[0] = 0;
	tell(notice, exe);
	memset(reply, 0, sizes.seccomp_notif_resp);
	reply->id = id;
	reply->error = -EPERM;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply);
}

/* receive() - the listener that came with a connection, or -1. */
static int receive(int connection)
{
	char room[65536];
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec data = { .iov_base = room, .iov_len = sizeof(room) };
	struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const struct cmsghdr *c;
	int fd;

	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) < 0)
		return -1;
	c = CMSG_FIRSTHDR(&message);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len < CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

static void take_listener(void)
{
	const struct timeval limit = { .tv_sec = 10 };
	int connection = accept4(fds[AT_SOCKET].fd, NULL, NULL, SOCK_CLOEXEC);
	int fd;

	if (connection < 0)
		return;
	/* Root alone can connect; one who says nothing must not hold us. */
	setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	fd = receive(connection);
	close(connection);
	if (fd < 0)
		return;
	if (listeners == LISTENERS_MAX) {
		close(fd);	/* its calls are answered with ENOSYS */
		return;
	}
	fds[AT_LISTENERS + listeners++] =
		(struct pollfd){ .fd = fd, .events = POLLIN };
}

static void drop_listener(size_t at)
{
	close(fds[at].fd);
	fds[at] = fds[AT_LISTENERS + --listeners];
}

static void serve(void)
{
	bool had = false;

	for (;;) {
		bool starting = fds[AT_RUNTIME].fd >= 0;

		if (listeners == 0 && (had || !starting))
			return;
		if (poll(fds, AT_LISTENERS + listeners, -1) < 0)
			continue;
		for (size_t i = AT_LISTENERS + listeners; i-- > AT_LISTENERS;) {
			if (fds[i].revents & POLLIN)
				refuse(fds[i].fd);
			else if (fds[i].revents)
				drop_listener(i);
		}
		if (fds[AT_SOCKET].revents & POLLIN)
			take_listener();
		if (fds[AT_RUNTIME].revents) {
			close(fds[AT_RUNTIME].fd);
			fds[AT_RUNTIME].fd = -1;
		}
		had = had || listeners > 0;
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		die("the path of the socket is too long: %s", path);
	memcpy(a.sun_path, path, strlen(path));
	unlink(path);
	umask(077);
	if (fd < 0 || bind(fd, (const void *)&a, sizeof(a)) < 0 ||
	    listen(fd, 16) < 0)
		die_errno("cannot listen at %s", path);
	return fd;
}

struct options {
	const char *socket;
	const char *log;
	const char *instance;
	int pid;
	int ready;
};

static struct options read_options(char **args)
{
	struct options o = { .pid = -1, .ready = -1 };

	for (; args[0] && args[1]; args += 2) {
		if (strcmp(args[0], "--socket") == 0)
			o.socket = args[1];
		else if (strcmp(args[0], "--log") == 0)
			o.log = args[1];
		else if (strcmp(args[0], "--instance") == 0)
			o.instance = args[1];
		else if (strcmp(args[0], "--pid") == 0)
			o.pid = atoi(args[1]);
		else if (strcmp(args[0], "--ready") == 0)
			o.ready = atoi(args[1]);
		else
			die("unknown option: %s", args[0]);
	}
	if (args[0] || !o.socket || !o.log || !o.instance || o.pid <= 0 ||
	    o.ready < 0)
		die("expected: --socket PATH --log FILE --instance ID "
		    "--pid PID --ready FD");
	for (const char *c = o.instance; *c; c++)
		if (!strchr("0123456789abcdef", *c))
			die("not an id: %s", o.instance);
	return o;
}

int main(int argc, char **argv)
{
	struct options o;

	program_name = "refusals";
	o = read_options(argv + (argc > 0));
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		die_errno("this kernel has no seccomp notifications");
	notice = must_alloc(sizes.seccomp_notif + sizeof(*notice));
	reply = must_alloc(sizes.seccomp_notif_resp + sizeof(*reply));
	tell_open(o.log, o.instance);
	fds[AT_SOCKET] = (struct pollfd){ .fd = listen_at(o.socket),
					  .events = POLLIN };
	fds[AT_RUNTIME] = (struct pollfd){
		.fd = (int)syscall(SYS_pidfd_open, o.pid, 0), .events = POLLIN,
	};
	if (fds[AT_RUNTIME].fd < 0)
		die_errno("no process %d", o.pid);
	if (write(o.ready, "", 1) != 1)
		die_errno("nobody waits for us");
	close(o.ready);
	serve();
	unlink(o.socket);
	return 0;
}
