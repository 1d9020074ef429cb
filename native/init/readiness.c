// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "logs.h"
#include "process.h"
#include "readiness.h"
#include "service-launch.h"
#include "talk.h"

#define SHORTEST_PAUSE 5
#define LONGEST_PAUSE 200
#define EXEC_PAUSE 100
#define TCP_LISTEN_STATE 0x0a

bool port_listens(const char *text, unsigned int port)
{
	const char *line = text;

	while (line && *line) {
		unsigned int local, state;

		if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x",
			   &local, &state) == 2 &&
		    local == port && state == TCP_LISTEN_STATE)
			return true;
		line = strchr(line, '\n');
		line += line != NULL;
	}
	return false;
}

/* 1 listens, 0 does not, -1 there is no such table. */
static int look_up(const char *path, unsigned int port)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[8193];
	size_t kept = 0;

	if (fd < 0)
		return -1;
	for (;;) {
		ssize_t n = read(fd, text + kept, sizeof(text) - 1 - kept);
		char *end;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return 0;
		kept += (size_t)n;
		text[kept] = 0;
		end = strrchr(text, '\n');
		if (!end) {
			kept = 0;
			continue;
		}
		*end = 0;
		if (port_listens(text, port))
			return 1;
		kept -= (size_t)(end + 1 - text);
		memmove(text, end + 1, kept);
	}
}

static bool connects(int family, unsigned int port)
{
	cleanup_fd int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC |
				   SOCK_NONBLOCK, 0);
	struct sockaddr_in6 six = { .sin6_family = AF_INET6,
				    .sin6_port = htons((uint16_t)port),
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port) };

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return false;
	/* On loopback the answer is there at once. */
	return family == AF_INET ?
		connect(fd, (struct sockaddr *)&four, sizeof(four)) == 0 :
		connect(fd, (struct sockaddr *)&six, sizeof(six)) == 0;
}

static bool port_is_open(unsigned int port)
{
	int four = look_up("/proc/net/tcp", port);
	int six = look_up("/proc/net/tcp6", port);

	if (four < 0 && six < 0)
		return connects(AF_INET, port) || connects(AF_INET6, port);
	return four > 0 || six > 0;
}

/* Made or changed since the start: an old one says nothing. */
static bool file_is_new(const struct service *s)
{
	struct stat st;

	if (stat(s->is->ready_text, &st) < 0)
		return false;
	return !s->had_file || st.st_dev != s->file.st_dev ||
		st.st_ino != s->file.st_ino ||
		st.st_ctim.tv_sec != s->file.st_ctim.tv_sec ||
		st.st_ctim.tv_nsec != s->file.st_ctim.tv_nsec;
}

const char *readiness_begin(struct service *s)
{
	static char problem[128];
	int error;

	readiness_end(s);
	s->pause = SHORTEST_PAUSE;
	if (s->is->ready == READY_FILE)
		s->had_file = stat(s->is->ready_text, &s->file) == 0;
	if (s->is->ready != READY_LOG)
		return NULL;
	error = regcomp(&s->pattern, s->is->ready_text,
			REG_EXTENDED | REG_NOSUB);
	if (error) {
		regerror(error, &s->pattern, problem, sizeof(problem));
		return problem;
	}
	s->has_pattern = true;
	return NULL;
}

static void start_probe(struct service *s)
{
	int error;

	s->next = -1;
	s->probe = service_launch(s, &s->is->ready_exec, false, &error);
	if (s->probe > 0)
		return;
	s->probe = 0;
	s->next = now_ms() + EXEC_PAUSE;
}

void readiness_look(struct service *s, long long now)
{
	bool ready = false;

	switch (s->is->ready) {
	case READY_NONE:
		ready = true;
		break;
	case READY_PORT:
		ready = port_is_open(s->is->ready_port);
		break;
	case READY_FILE:
		ready = file_is_new(s);
		break;
	case READY_EXEC:
		if (!s->probe)
			start_probe(s);
		return;
	case READY_LOG:
		/* readiness_line() says so. */
		s->next = -1;
		return;
	}
	if (ready) {
		service_ready(s);
		return;
	}
	s->next = now + s->pause;
	s->pause = s->pause * 2 > LONGEST_PAUSE ? LONGEST_PAUSE : s->pause * 2;
}

void readiness_probed(struct service *s, int wait_status)
{
	s->probe = 0;
	if (s->state != STATE_STARTING)
		return;
	if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
		service_ready(s);
	else
		s->next = now_ms() + EXEC_PAUSE;
}

void readiness_end(struct service *s)
{
	logs_deaf(s);
	if (s->probe > 0)
		processes_of_session(s->probe, SIGKILL);
	s->probe = 0;
	if (s->has_pattern)
		regfree(&s->pattern);
	s->has_pattern = false;
}

void readiness_line(void *service, const char *line)
{
	struct service *s = service;

	if (!s->has_pattern || s->state != STATE_STARTING ||
	    (s->is->type == TYPE_FORKING && !s->pid))
		return;
	if (regexec(&s->pattern, line, 0, NULL, 0) == 0)
		service_ready(s);
}
