// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "signals.h"

static unsigned long long mask_of(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	return at ? strtoull(at + strlen(line), NULL, 16) : 0;
}

/* The lines SigPnd and ShdPnd of a status file, less what is @blocked there:
 * signals that wait. */
static unsigned long long signals_of(pid_t pid, bool blocked)
{
	unsigned long long pending;
	char file[40], text[2048];
	long n;
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/status", (int)pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	pending = mask_of(text, "\nSigPnd:") | mask_of(text, "\nShdPnd:");
	return blocked ? pending & ~mask_of(text, "\nSigBlk:") : pending;
}

unsigned long long signals_pending(pid_t pid)
{
	return signals_of(pid, false);
}

unsigned long long signals_due(pid_t pid)
{
	return signals_of(pid, true);
}
