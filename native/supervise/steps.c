// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "steps.h"

static const char passed_name[] = "TRANSHIP_STEPS_PASSED";
static const char stop_name[] = "TRANSHIP_STOP_AT";

static int number(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

static void append(const char *path, int count, const char *name)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	dprintf(fd, "%d %s\n", count, name);
	close(fd);
}

void step(const char *name)
{
	const char *list = getenv("TRANSHIP_STEPS_FILE");
	const char *stop = getenv(stop_name);
	int crash = number("TRANSHIP_CRASH_AT");
	int passed;
	char text[16];

	if (!list && !stop && !crash)
		return;
	/* The environment: Node may have gone on with it in the meantime. */
	passed = number(passed_name) + 1;
	snprintf(text, sizeof(text), "%d", passed);
	setenv(passed_name, text, 1);
	if (list)
		append(list, passed, name);
	if (passed == crash)
		raise(SIGKILL);
	if (!stop || strcmp(stop, name) != 0)
		return;
	unsetenv(stop_name);
	raise(SIGSTOP);
}
