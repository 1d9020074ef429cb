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
bool fail_silently;
enum overlay_api overlay_api;

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

#define TEXT_MAX 4096

__attribute__((noreturn))
static void finish(int status, int number, char *text)
{
	if (number != 0) {
		size_t used = strlen(text);

		snprintf(text + used, TEXT_MAX - used, ": %s",
			 strerror(number));
	}
	if (fail_silently)
		_exit(status);
	fprintf(stderr, "%s: %s\n", program_name, text);
	report_error(text, number);
	_exit(status);
}

void fail(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finish(EXIT_SETUP, 0, text);
}

void fail_errno(const char *fmt, ...)
{
	int saved = errno;
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finish(EXIT_SETUP, saved, text);
}

void fail_exec(const char *command)
{
	int saved = errno;
	char text[TEXT_MAX];
	bool missing = saved == ENOENT || saved == ENOTDIR;
	/* The kernel says ENOENT for a missing interpreter too. */
	bool loader = saved == ENOENT && strchr(command, '/') &&
		      access(command, F_OK) == 0;

	snprintf(text, sizeof(text), "cannot execute %s%s", command,
		 loader ? ", its interpreter or loader is missing" : "");
	finish(missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, saved, text);
}

void report_pid(pid_t pid)
{
	static const char *const names[] = {
		"null", "\"fsconfig\"", "\"mount\"",
	};
	char line[128];
	int n;

	if (status_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "{\"pid\":%d,\"overlay\":%s}\n",
		     (int)pid, names[overlay_api]);
	(void)!write_all(status_fd, line, (size_t)n);
}
