// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "report.h"

int status_fd = -1;
const char *overlay_api;

static void report_error(const char *text, int number)
{
	char line[8192];
	size_t used = 0;

	if (status_fd < 0)
		return;
	used += (size_t)snprintf(line, sizeof(line), "{\"error\":\"");
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (used > sizeof(line) - 64)
			break;
		if (*p == '"' || *p == '\\')
			line[used++] = '\\';
		if (*p < 0x20 || *p > 0x7e)
			used += (size_t)snprintf(line + used, 8, "\\u%04x", *p);
		else
			line[used++] = (char)*p;
	}
	used += (size_t)snprintf(line + used, sizeof(line) - used,
				 "\",\"errno\":%d}\n", number);
	/* Whoever listened may be gone; the exit status still tells. */
	(void)!write_all(status_fd, line, used);
}

__attribute__((noreturn, format(printf, 3, 0)))
static void finish(int status, int number, const char *fmt, va_list ap)
{
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, ap);
	if (number != 0) {
		size_t used = strlen(text);

		snprintf(text + used, sizeof(text) - used, ": %s",
			 strerror(number));
	}
	fprintf(stderr, "%s: %s\n", program_name, text);
	report_error(text, number);
	_exit(status);
}

void fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(EXIT_SETUP, 0, fmt, ap);
}

void fail_errno(const char *fmt, ...)
{
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	finish(EXIT_SETUP, saved, fmt, ap);
}

__attribute__((noreturn, format(printf, 3, 4)))
static void finish_with(int status, int number, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finish(status, number, fmt, ap);
}

void fail_exec(const char *command)
{
	int saved = errno;
	bool missing = saved == ENOENT || saved == ENOTDIR;
	/* The kernel says ENOENT for a missing interpreter too. */
	bool loader = saved == ENOENT && strchr(command, '/') &&
		      access(command, F_OK) == 0;

	finish_with(missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, saved,
		    loader ? "cannot execute %s, its interpreter or loader is "
			     "missing" : "cannot execute %s", command);
}

void report_pid(pid_t pid)
{
	char line[128];
	int n;

	if (status_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "{\"pid\":%d,\"overlay\":%s%s%s}\n",
		     (int)pid, overlay_api ? "\"" : "",
		     overlay_api ? overlay_api : "null",
		     overlay_api ? "\"" : "");
	(void)!write_all(status_fd, line, (size_t)n);
}
