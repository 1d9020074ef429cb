// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "die.h"
#include "proxy.h"

int poll_fd = -1;

void poll_open(void)
{
	poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (poll_fd < 0)
		die_errno("epoll");
}

static bool poll_change(int what, struct source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	return epoll_ctl(poll_fd, what, source->fd, &e) == 0;
}

bool poll_add(struct source *source, uint32_t events)
{
	return poll_change(EPOLL_CTL_ADD, source, events);
}

void poll_remove(struct source *source)
{
	poll_change(EPOLL_CTL_DEL, source, 0);
}

void poll_set(struct source *source, uint32_t events)
{
	poll_change(EPOLL_CTL_MOD, source, events);
}

static in_port_t parse_port(const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (end == text || *end || port < 1 || port > 65535)
		die("not a port: %s", text);
	return htons((in_port_t)port);
}

static struct endpoint parse_endpoint(const char *address, const char *port)
{
	struct endpoint e = { .length = 0 };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = parse_port(port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = parse_port(port) };

	if (inet_pton(AF_INET6, address, &six.sin6_addr) == 1) {
		memcpy(&e.address, &six, sizeof(six));
		e.length = sizeof(six);
	} else if (inet_pton(AF_INET, address, &four.sin_addr) == 1) {
		memcpy(&e.address, &four, sizeof(four));
		e.length = sizeof(four);
	} else {
		die("not an address: %s", address);
	}
	return e;
}

static struct endpoint parse_target(const char *text)
{
	char address[INET6_ADDRSTRLEN + 1];
	size_t n = strcspn(text, ",");

	if (n >= sizeof(address) || !text[n])
		die("not ADDRESS,PORT: %s", text);
	memcpy(address, text, n);
	address[n] = 0;
	return parse_endpoint(address, text + n + 1);
}

void listen_on(const char *protocol, const char *address, const char *port,
	       const char *target)
{
	struct endpoint at = parse_endpoint(address, port);
	struct endpoint to = parse_target(target);
	bool stream = strcmp(protocol, "tcp") == 0;
	int kind = stream ? SOCK_STREAM : SOCK_DGRAM;
	int fd = socket(at.address.ss_family,
			kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		die_errno("cannot open a socket");
	if (at.address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (stream)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at.address, at.length) < 0 ||
	    (stream && listen(fd, 1024) < 0))
		die_errno("cannot listen on [%s]:%s", address, port);
	if (stream)
		stream_listen(fd, &to);
	else
		datagram_listen(fd, &to);
}

void sweep(void)
{
	stream_sweep();
	datagram_sweep();
}
