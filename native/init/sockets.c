// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "die.h"
#include "environment.h"
#include "sockets.h"
#include "talk.h"

static int *opened;		/* by the socket's index in the plan */

static int kind_of(const struct socket_plan *s)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	return kinds[s->type] | SOCK_CLOEXEC;
}

/* Above all descriptors that a child gets: placing one never covers another. */
static int move_up(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC,
					HANDED_FIRST + HANDED_MOST);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return moved;
}

static void make_parents(const char *path)
{
	char part[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(part, sizeof(part), "%s", path);
	for (slash = strchr(part + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(part, 0755);
		*slash = '/';
	}
}

static int open_unix(const struct socket_plan *s)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t n = strlen(s->address);
	bool named = *s->address == '/';
	struct stat st;
	mode_t mask;
	int fd, got;

	if (n >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(at.sun_path, s->address, n);
	if (named) {
		make_parents(s->address);
		/* One that an earlier run left: nobody listens there. */
		if (lstat(s->address, &st) == 0 && S_ISSOCK(st.st_mode))
			unlink(s->address);
	} else {
		at.sun_path[0] = 0;
	}
	fd = socket(AF_UNIX, kind_of(s), 0);
	if (fd < 0)
		return -1;
	mask = umask(0777 & ~s->mode);
	got = bind(fd, (struct sockaddr *)&at, (socklen_t)
		   (offsetof(struct sockaddr_un, sun_path) + n + named));
	umask(mask);
	if (got == 0 && named && (s->uid || s->gid))
		got = lchown(s->address, s->uid, s->gid);
	if (got == 0)
		return fd;
	got = errno;
	close(fd);
	errno = got;
	return -1;
}

static int bind_inet(const struct socket_plan *s, int family,
		     const struct sockaddr *at, socklen_t size)
{
	int fd = socket(family, kind_of(s), 0), on = 1, error;
	int six_only = s->ipv6_only;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &six_only,
			   sizeof(six_only));
	if (bind(fd, at, size) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static int open_inet(const struct socket_plan *s)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons(s->port) };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons(s->port) };
	bool any = !*s->address || strcmp(s->address, "::") == 0;
	int fd;

	if (*s->address &&
	    inet_pton(AF_INET, s->address, &four.sin_addr) == 1)
		return bind_inet(s, AF_INET, (struct sockaddr *)&four,
				 sizeof(four));
	if (!any && inet_pton(AF_INET6, s->address, &six.sin6_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	fd = bind_inet(s, AF_INET6, (struct sockaddr *)&six, sizeof(six));
	/* Where there is no IPv6, all addresses are those of IPv4. */
	if (fd < 0 && any && !s->ipv6_only &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = bind_inet(s, AF_INET, (struct sockaddr *)&four,
			       sizeof(four));
	return fd;
}

static int open_one(const struct socket_plan *s)
{
	bool is_unix = *s->address == '/' || *s->address == '@';
	int fd = move_up(is_unix ? open_unix(s) : open_inet(s));

	if (fd < 0 || s->type == SOCKET_DATAGRAM ||
	    listen(fd, SOMAXCONN) == 0)
		return fd;
	close(fd);
	return -1;
}

bool sockets_open(const struct plan *plan)
{
	bool all = true;
	size_t i;

	opened = calloc(plan->socket_count + 1, sizeof(*opened));
	if (!opened)
		die("out of memory");
	for (i = 0; i < plan->socket_count; i++) {
		const struct socket_plan *s = &plan->sockets[i];
		const struct service_plan *of = &plan->services[s->service];

		opened[i] = -1;
		if (of->startup != STARTUP_AUTO)
			continue;
		opened[i] = open_one(s);
		if (opened[i] >= 0)
			continue;
		if (s->port)
			complain("service %s: cannot open its socket %s port "
				 "%u: %s", of->name, s->address, s->port,
				 strerror(errno));
		else
			complain("service %s: cannot open its socket %s: %s",
				 of->name, s->address, strerror(errno));
		all = false;
	}
	return all;
}

static void announce(struct handed *h, const char *names,
		     struct environment *env)
{
	char number[24];
	size_t i;

	snprintf(number, sizeof(number), "%zu", h->count);
	environment_set(env, "LISTEN_FDS", number);
	environment_set(env, "LISTEN_FDNAMES", names);
	/* The child alone knows its number, and writes it here. */
	environment_set(env, "LISTEN_PID", "0000000000");
	for (i = 0; i < env->count; i++)
		if (strncmp(env->list[i], "LISTEN_PID=", 11) == 0)
			h->pid_text = env->list[i] + 11;
}

void sockets_hand(const struct plan *plan, const struct service_plan *service,
		  struct handed *handed, struct environment *env)
{
	char names[HANDED_MOST * 257] = "";
	size_t i, used = 0;

	*handed = (struct handed){ .input = -1 };
	for (i = 0; opened && i < plan->socket_count; i++) {
		const struct socket_plan *s = &plan->sockets[i];

		if (&plan->services[s->service] != service || opened[i] < 0)
			continue;
		if (s->given == GIVEN_INPUT) {
			handed->input = opened[i];
		} else if (handed->count < HANDED_MOST) {
			handed->fds[handed->count++] = opened[i];
			used += (size_t)snprintf(names + used,
						 sizeof(names) - used, "%s%s",
						 used ? ":" : "", s->name);
		}
	}
	if (handed->count)
		announce(handed, names, env);
}
