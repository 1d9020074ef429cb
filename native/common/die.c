// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"

const char *program_name = "tranship";

/*
 * One write for the whole message: stderr is not buffered, so a program that
 * is killed between two writes would leave half a line before the words of
 * whoever shares its stderr.
 */
__attribute__((format(printf, 1, 0)))
static void say(const char *fmt, va_list ap, const char *why)
{
	char line[PIPE_BUF];
	int len = snprintf(line, sizeof(line), "%s: ", program_name);

	len += vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
	if (len < (int)sizeof(line) && why)
		len += snprintf(line + len, sizeof(line) - (size_t)len,
				": %s", why);
	if (len > (int)sizeof(line) - 1)
		len = (int)sizeof(line) - 1;
	line[len++] = '\n';
	if (write(2, line, (size_t)len) < 0)
		_exit(125);	/* nobody to tell */
}

void die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, NULL);
	va_end(ap);
	_exit(125);
}

void die_errno(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, strerror(saved));
	va_end(ap);
	_exit(125);
}

void cleanup_free_at(void *p)
{
	free(*(void **)p);
}

void cleanup_fd_at(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
