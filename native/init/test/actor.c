// SPDX-License-Identifier: Apache-2.0
/*
 * actor - does what its arguments say, word by word, and ends with 0: the
 * program in packages that tests make. A word that takes an argument is
 * followed by it.
 *
 *	say TEXT, cry TEXT	a line on stdout, stderr (print: no newline)
 *	note FILE TEXT		appends a line, in one write
 *	touch FILE, sleep MS, exit N, kill SIGNAL, wait (for a signal)
 *	trap SIGNAL NAME FILE	from now on, notes NAME in FILE on SIGNAL; on
 *				SIGTERM it then ends with 0
 *	ignore SIGNAL
 *	until FILE		waits until it is there
 *	listen PORT		and keeps listening; says if anyone connects
 *	given			says what LISTEN_FDS and standard input give
 *	answer FD TEXT		to whoever connects to that descriptor, once
 *	daemon PIDFILE		goes on in a child of a child; parents end
 *	spawn			goes on in a child; the parent does so, too,
 *				with what stands behind the next "--"
 *	orphan MS		leaves a child of an ended child for so long
 *	env NAME, who, cwd, tty	says it
 *	flood LINES BYTES	so many lines of so many bytes
 *	bytes HEX
 *	count FILE N		ends with 1 the first N times
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"

static const char *trap_name[65], *trap_file[65];
static int listener = -1;

static void note(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0666);
	char line[256];
	int n = snprintf(line, sizeof(line), "%s\n", text);

	if (fd < 0 || write_all(fd, line, (size_t)n) < 0)
		die_errno("%s", file);
	close(fd);
}

static void put(int fd, const char *text, const char *end)
{
	char line[4096];
	int n = snprintf(line, sizeof(line), "%s%s", text, end);

	if (write_all(fd, line, (size_t)n) < 0)
		die_errno("cannot write");
}

static void trapped(int number)
{
	note(trap_file[number], trap_name[number]);
	if (number == SIGTERM)
		_exit(0);
}

static void do_listen(unsigned int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port) };
	int one = 1;
	struct ifreq lo = { .ifr_name = "lo" };

	a.sin_addr.s_addr = htonl(INADDR_ANY);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	/* In a fresh network namespace it is down. */
	if (ioctl(listener, SIOCGIFFLAGS, &lo) == 0) {
		lo.ifr_flags |= IFF_UP;
		ioctl(listener, SIOCSIFFLAGS, &lo);
	}
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    listen(listener, 8) < 0)
		die_errno("port %u", port);
}

static void say_socket(int fd)
{
	struct sockaddr_storage at = { 0 };
	socklen_t size = sizeof(at), n = sizeof(int);
	int type = 0, accepts = 0;
	char name[128], line[256];

	if (getsockname(fd, (struct sockaddr *)&at, &size) < 0)
		return;
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n);
	getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &n);
	if (at.ss_family == AF_UNIX) {
		const char *path = ((struct sockaddr_un *)&at)->sun_path;

		snprintf(name, sizeof(name), "%s%.100s", *path ? "" : "@",
			 *path ? path : path + 1);
	} else {
		char text[64];
		bool six = at.ss_family == AF_INET6;
		/* The port lies at the same place in both. */
		struct sockaddr_in *in = (struct sockaddr_in *)&at;

		inet_ntop(at.ss_family, six ? (const void *)
			  &((struct sockaddr_in6 *)&at)->sin6_addr :
			  &in->sin_addr, text, sizeof(text));
		snprintf(name, sizeof(name), "%s %u", text,
			 ntohs(in->sin_port));
	}
	snprintf(line, sizeof(line), "%d: type %d%s %s", fd, type,
		 accepts ? " listens" : "", name);
	put(1, line, "\n");
}

static void do_given(void)
{
	const char *count = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	const char *own = getenv("LISTEN_PID");
	char line[256];
	int i;

	snprintf(line, sizeof(line), "given %s: %s, %s", count ? count : "none",
		 names ? names : "", own && atoi(own) == getpid() ? "ours" :
		 "not ours");
	put(1, line, "\n");
	for (i = 3; count && i < 3 + atoi(count); i++)
		say_socket(i);
	say_socket(0);
}

static void do_answer(int fd, const char *text)
{
	int client = accept(fd, NULL, NULL);

	if (client < 0)
		die_errno("accept");
	put(client, text, "\n");
	close(client);
}

static void look_for_visitors(void)
{
	if (listener >= 0 && accept(listener, NULL, NULL) >= 0)
		put(1, "VISITED", "\n");
}

static void do_daemon(const char *file)
{
	char text[16];

	if (fork() > 0)
		_exit(0);
	setsid();
	if (fork() > 0)
		_exit(0);
	snprintf(text, sizeof(text), "%d", getpid());
	note(file, text);
}

static void do_orphan(long ms)
{
	if (fork() > 0)
		return;
	if (fork() == 0)
		usleep((unsigned int)ms * 1000);
	_exit(0);
}

static void do_who(void)
{
	gid_t groups[64];
	int n = getgroups(64, groups), i;
	char line[512];
	int used = snprintf(line, sizeof(line), "%d:%d", getuid(), getgid());

	for (i = 0; i < n; i++)
		used += snprintf(line + used, sizeof(line) - (size_t)used,
				 "%c%d", i ? ',' : ' ', groups[i]);
	put(1, line, "\n");
}

static void do_flood(long lines, long size)
{
	char *line = malloc((size_t)size + 1);
	long i;

	if (!line)
		die("out of memory");
	for (i = 0; i < lines; i++) {
		memset(line, 'x', (size_t)size);
		snprintf(line, (size_t)size, "%ld ", i);
		line[strlen(line)] = 'x';
		line[size] = '\n';
		if (write_all(1, line, (size_t)size + 1) < 0)
			die_errno("cannot write");
	}
	free(line);
}

static void do_bytes(const char *hex)
{
	for (; hex[0] && hex[1]; hex += 2) {
		char pair[3] = { hex[0], hex[1], 0 };
		char byte = (char)strtoul(pair, NULL, 16);

		if (write_all(1, &byte, 1) < 0)
			die_errno("cannot write");
	}
}

static void do_count(const char *file, long n)
{
	struct stat st;
	long done = stat(file, &st) == 0 ? (long)st.st_size / 2 : 0;

	note(file, "x");
	if (done < n)
		_exit(1);
}

static char **do_spawn(char **arg)
{
	pid_t pid = fork();

	if (pid == 0)
		return arg;
	while (*arg && strcmp(*arg, "--") != 0)
		arg++;
	return *arg ? arg + 1 : arg;
}

/* The C library here keeps this one for itself. */
static void trap_raw(int number)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		unsigned long mask;
	} raw = { .handler = trapped };

	/* Its restorer is the one of any other signal. */
	signal(SIGURG, trapped);
	syscall(SYS_rt_sigaction, SIGURG, NULL, &raw, 8);
	syscall(SYS_rt_sigaction, number, &raw, NULL, 8);
}

static void do_trap(char **arg)
{
	struct sigaction a = { .sa_handler = trapped };
	int number = atoi(arg[1]);

	trap_name[number] = arg[2];
	trap_file[number] = arg[3];
	if (number == 34)
		trap_raw(number);
	else
		sigaction(number, &a, NULL);
}

static int words(const char *word)
{
	static const char *const two[] = { "note", "flood", "count", "answer" };
	static const char *const none[] = { "wait", "spawn", "who", "cwd",
					    "tty", "given", "--" };
	size_t i;

	if (strcmp(word, "trap") == 0)
		return 3;
	for (i = 0; i < sizeof(two) / sizeof(*two); i++)
		if (strcmp(word, two[i]) == 0)
			return 2;
	for (i = 0; i < sizeof(none) / sizeof(*none); i++)
		if (strcmp(word, none[i]) == 0)
			return 0;
	return 1;
}

static void do_sleep(long ms)
{
	for (; ms > 0; ms -= 10) {
		usleep(10000);
		look_for_visitors();
	}
}

static char **perform(char **arg)
{
	const char *word = arg[0], *a = arg[1];
	char directory[4096];

	if (strcmp(word, "say") == 0)
		put(1, a, "\n");
	else if (strcmp(word, "cry") == 0)
		put(2, a, "\n");
	else if (strcmp(word, "print") == 0)
		put(1, a, "");
	else if (strcmp(word, "note") == 0)
		note(a, arg[2]);
	else if (strcmp(word, "touch") == 0)
		close(open(a, O_WRONLY | O_CREAT | O_TRUNC, 0666));
	else if (strcmp(word, "sleep") == 0)
		do_sleep(atol(a));
	else if (strcmp(word, "exit") == 0)
		_exit(atoi(a));
	else if (strcmp(word, "kill") == 0)
		kill(getpid(), atoi(a));
	else if (strcmp(word, "wait") == 0)
		for (;;)
			do_sleep(1000);
	else if (strcmp(word, "trap") == 0)
		do_trap(arg);
	else if (strcmp(word, "until") == 0)
		while (access(a, F_OK) < 0)
			do_sleep(10);
	else if (strcmp(word, "ignore") == 0)
		signal(atoi(a), SIG_IGN);
	else if (strcmp(word, "listen") == 0)
		do_listen((unsigned int)atoi(a));
	else if (strcmp(word, "given") == 0)
		do_given();
	else if (strcmp(word, "answer") == 0)
		do_answer(atoi(a), arg[2]);
	else if (strcmp(word, "daemon") == 0)
		do_daemon(a);
	else if (strcmp(word, "spawn") == 0)
		return do_spawn(arg + 1);
	else if (strcmp(word, "orphan") == 0)
		do_orphan(atol(a));
	else if (strcmp(word, "env") == 0)
		put(1, getenv(a) ? getenv(a) : "(unset)", "\n");
	else if (strcmp(word, "who") == 0)
		do_who();
	else if (strcmp(word, "cwd") == 0)
		put(1, getcwd(directory, sizeof(directory)), "\n");
	else if (strcmp(word, "tty") == 0)
		put(1, isatty(0) && tcgetpgrp(0) == getpid() ? "tty" :
		    "no tty", "\n");
	else if (strcmp(word, "flood") == 0)
		do_flood(atol(a), atol(arg[2]));
	else if (strcmp(word, "bytes") == 0)
		do_bytes(a);
	else if (strcmp(word, "count") == 0)
		do_count(a, atol(arg[2]));
	else if (strcmp(word, "--") == 0)
		_exit(0);
	else
		die("unknown word %s", word);
	return arg + 1 + words(word);
}

int main(int argc, char **argv)
{
	char **arg = argv + (argc > 0);

	while (*arg) {
		int needed = words(*arg), i;

		for (i = 1; i <= needed; i++)
			if (!arg[i])
				die("%s needs %d arguments", *arg, needed);
		arg = perform(arg);
	}
	return 0;
}
