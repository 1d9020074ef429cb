// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "logs.h"
#include "talk.h"

static void to_stderr(const char *line, size_t n)
{
	char text[1100];
	int length = snprintf(text, sizeof(text), "tranship: %.*s\n", (int)n,
			      line);

	if (length > 0)
		write_all(STDERR_FILENO, text, (size_t)length);
}

__attribute__((format(printf, 2, 0)))
static void talk(bool loud, const char *fmt, va_list ap)
{
	char line[1024];
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);

	if (n < 0)
		return;
	if ((size_t)n > sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	if (loud || logs_forwarded())
		to_stderr(line, (size_t)n);
	line[n] = '\n';
	line[n + 1] = 0;
	logs_line("init", line);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	talk(false, fmt, ap);
	va_end(ap);
}

void complain(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	talk(true, fmt, ap);
	va_end(ap);
}

void debug(const char *fmt, ...)
{
	static int wanted = -1;
	char line[1024];
	va_list ap;

	if (wanted < 0) {
		const char *wish = getenv("TRANSHIP_DEBUG");

		wanted = wish && *wish && strcmp(wish, "0") != 0;
	}
	if (!wanted)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	to_stderr(line, strlen(line));
}
