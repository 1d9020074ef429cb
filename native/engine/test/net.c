// SPDX-License-Identifier: Apache-2.0
/*
 * Sockets whose addresses lead elsewhere: `net [raw] BOUND ASKED`, both IP and
 * PORT with a space between them ("192.0.2.9 8080"). Listens at the first, connects
 * to and sends to the second, and says what the kernel says of both.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool raw;

static long call(long nr, long fd, const void *a, unsigned long n)
{
	if (raw)
		return syscall(nr, fd, a, n);
	if (nr == SYS_bind)
		return bind((int)fd, a, (socklen_t)n);
	return connect((int)fd, a, (socklen_t)n);
}

static socklen_t parse(struct sockaddr_storage *a, const char *ip, const char *port)
{
	struct sockaddr_in6 *six = (void *)a;
	struct sockaddr_in *four = (void *)a;

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET, ip, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((unsigned short)atoi(port));
		return sizeof(*four);
	}
	inet_pton(AF_INET6, ip, &six->sin6_addr);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((unsigned short)atoi(port));
	return sizeof(*six);
}

static void say(const char *what, const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const void *)a;
	const struct sockaddr_in *four = (const void *)a;
	char text[64] = "?";

	inet_ntop(a->ss_family, a->ss_family == AF_INET
		  ? (const void *)&four->sin_addr
		  : (const void *)&six->sin6_addr, text, sizeof(text));
	printf("%s %s %d\n", what, text, ntohs(four->sin_port));
}

static void say_name(const char *what, int fd, long nr)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	long result = raw ? syscall(nr, fd, &a, &n)
		    : nr == SYS_getsockname ? getsockname(fd, (void *)&a, &n)
					    : getpeername(fd, (void *)&a, &n);

	if (result == 0)
		say(what, &a);
	else
		printf("%s errno %d\n", what, errno);
}

static void stream(const struct sockaddr_storage *at, socklen_t n,
		   const struct sockaddr_storage *to, socklen_t m)
{
	int s = socket(at->ss_family, SOCK_STREAM, 0), a, one = 1;
	int c = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = { .fd = c, .events = POLLOUT };
	char byte = 0;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (call(SYS_bind, s, at, n) < 0) {
		printf("bind errno %d\n", errno);
		exit(1);
	}
	say_name("bound", s, SYS_getsockname);
	listen(s, 5);
	if (call(SYS_connect, c, to, m) < 0 && errno != EINPROGRESS) {
		printf("connect errno %d\n", errno);
		exit(1);
	}
	poll(&p, 1, 5000);
	say_name("peer", c, SYS_getpeername);
	a = accept(s, NULL, NULL);
	say_name("accepted", a, SYS_getsockname);
	if (fork() == 0) {
		say_name("peer in a child", c, SYS_getpeername);
		fflush(stdout);
		_exit(write(a, "x", 1) != 1);
	}
	fcntl(c, F_SETFL, 0);
	printf("read %ld\n", (long)read(c, &byte, 1));
	close(s);
	close(a);
	close(c);
}

/* Two at once there and back. */
static void batch(int s, int c, const struct sockaddr_storage *to, socklen_t m)
{
	struct sockaddr_storage from[2];
	struct mmsghdr many[2] = { 0 };
	struct iovec v[2];
	char bytes[2][8] = { "" };
	socklen_t k;

	for (int i = 0; i < 2; i++) {
		v[i] = (struct iovec){ bytes[i], 5 };
		many[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i],
			.msg_iovlen = 1, .msg_name = (void *)(unsigned long)to,
			.msg_namelen = m };
	}
	printf("batch %ld",
	       (long)(raw ? syscall(SYS_sendmmsg, c, many, 2, 0)
			  : sendmmsg(c, many, 2, 0)));
	printf(" of %u %u\n", many[0].msg_len, many[1].msg_len);
	for (int i = 0; i < 2; i++) {
		k = sizeof(from[0]);
		recvfrom(s, bytes[0], 8, 0, (void *)&from[0], &k);
		sendto(s, "45", (size_t)i + 1, 0, (void *)&from[0], k);
	}
	for (int i = 0; i < 2; i++) {
		many[i].msg_hdr.msg_name = &from[i];
		many[i].msg_hdr.msg_namelen = sizeof(from[i]);
	}
	if ((raw ? syscall(SYS_recvmmsg, c, many, 2, 0, NULL)
		 : recvmmsg(c, many, 2, 0, NULL)) != 2)
		printf("recvmmsg errno %d\n", errno);
	say("batch from", &from[0]);
	say("batch from", &from[1]);
}

static void datagrams(const struct sockaddr_storage *at, socklen_t n,
		      const struct sockaddr_storage *to, socklen_t m)
{
	int s = socket(at->ss_family, SOCK_DGRAM, 0);
	int c = socket(to->ss_family, SOCK_DGRAM, 0);
	struct sockaddr_storage from;
	socklen_t k = sizeof(from);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char bytes[8];
	struct iovec v = { bytes, 2 };
	struct msghdr h = { .msg_name = (void *)(unsigned long)to, .msg_namelen = m,
			    .msg_iov = &v, .msg_iovlen = 1 };

	call(SYS_bind, s, at, n);
	sendto(c, "1", 1, 0, (const void *)to, m);
	recvfrom(s, bytes, 8, 0, (void *)&from, &k);
	sendto(s, "2", 1, 0, (void *)&from, k);
	k = sizeof(from);
	recvfrom(c, bytes, 8, 0, (void *)&from, &k);
	say("answer from", &from);
	sendmsg(c, &h, 0);
	k = sizeof(from);
	recvfrom(s, bytes, 8, 0, (void *)&from, &k);
	sendto(s, "3", 1, 0, (void *)&from, k);
	h.msg_name = &from;
	h.msg_namelen = sizeof(from);
	recvmsg(c, &h, 0);
	say("message from", &from);
	batch(s, c, to, m);
	call(SYS_connect, c, to, m);
	say_name("connected to", c, SYS_getpeername);
	connect(c, &none, sizeof(none));
	say_name("dissolved", c, SYS_getpeername);
}

int main(int argc, char **argv)
{
	struct sockaddr_storage at, to;
	socklen_t n, m;

	raw = argc > 1 && strcmp(argv[1], "raw") == 0;
	argv += raw;
	setvbuf(stdout, NULL, _IOLBF, 0);
	n = parse(&at, argv[1], argv[2]);
	m = parse(&to, argv[3], argv[4]);
	stream(&at, n, &to, m);
	datagrams(&at, n, &to, m);
	return 0;
}
