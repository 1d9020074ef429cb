// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "who.h"

__attribute__((noreturn)) static void usage(void)
{
	fprintf(stderr, "usage: witness --fd N [--optional] [--limited-queue] "
		"-- CMD...\n       witness --fd N [--pid PID]... "
		"[--session SID]... [--cgroup PATH]... [--root DIR] "
		"--for MS\n");
	_exit(125);
}

static long number(const char *text, long most)
{
	char *end;
	long v;

	errno = 0;
	v = text ? strtol(text, &end, 10) : -1;
	if (!text || errno || *end || end == text || v < 0 || v > most)
		usage();
	return v;
}

static void parse_who(struct options *o, const char *option, const char *value)
{
	pid_t pid;

	if (strcmp(option, "--cgroup") == 0 && value) {
		who_cgroup(value);
	} else {
		pid = (pid_t)number(value, INT_MAX);
		if (pid == 0)
			usage();
		if (strcmp(option, "--session") == 0) {
			who_session(pid);
		} else {
			who_root(pid);
			if (o->pid == 0)
				o->pid = pid;
		}
	}
	o->meant = true;
}

struct options options_read(char **argv)
{
	struct options o = { .fd = -1, .ms = -1 };

	for (argv++; *argv && strcmp(*argv, "--") != 0; argv++) {
		if (strcmp(*argv, "--optional") == 0) {
			o.optional = true;
		} else if (strcmp(*argv, "--limited-queue") == 0) {
			o.limited = true;
		} else if (!argv[1]) {
			usage();
		} else if (strcmp(*argv, "--fd") == 0) {
			o.fd = (int)number(*++argv, 1 << 20);
		} else if (strcmp(*argv, "--for") == 0) {
			o.ms = number(*++argv, LONG_MAX / 2);
		} else if (strcmp(*argv, "--root") == 0) {
			o.root = *++argv;
		} else if (strcmp(*argv, "--pid") == 0 ||
			   strcmp(*argv, "--session") == 0 ||
			   strcmp(*argv, "--cgroup") == 0) {
			parse_who(&o, argv[0], argv[1]);
			argv++;
		} else {
			usage();
		}
	}
	if (*argv)
		o.cmd = argv[1] ? argv + 1 : NULL;
	/* Either a command of our own, or somebody else for a time. */
	if (o.fd < 0 || (*argv && !o.cmd) || !o.cmd != (o.ms >= 0) ||
	    (o.cmd && o.meant) || (!o.cmd && !o.meant))
		usage();
	return o;
}
