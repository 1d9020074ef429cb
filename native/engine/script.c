// SPDX-License-Identifier: Apache-2.0
/* load_script() of fs/binfmt_script.c, with its ways at the ends: the line may end
 * by a zero, or with what the kernel has read of the file. */
#include "script.h"
#include "text.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The first from @at to @last, which counts, that is none; or NULL. */
static const char *next_text(const char *at, const char *last)
{
	for (; at <= last; at++)
		if (!blank(*at))
			return at;
	return NULL;
}

/* Where a word ends. */
static const char *next_end(const char *at, const char *last)
{
	for (; at <= last; at++)
		if (blank(*at) || !*at)
			return at;
	return NULL;
}

static void cut(char *to, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);

	memcpy(to, from, n);
	to[n] = 0;
}

/* The end of the line, NULL where there is no line. */
static const char *line_end(const char *line, const char *last)
{
	const char *at = line;

	for (; at <= last && *at; at++)
		if (*at == '\n')
			return at;
	at = next_text(line, last);
	/* A path that is cut off would be another one; an argument may be. */
	return at && next_end(at, last) ? last : NULL;
}

enum script_verdict script_read(const char *head, size_t n, struct script *s)
{
	char line[SCRIPT_HEAD] = { 0 };
	const char *last = line + SCRIPT_HEAD - 1, *at, *end, *stop, *argument = NULL;

	memcpy(line, head, n < SCRIPT_HEAD ? n : SCRIPT_HEAD);
	if (line[0] != '#' || line[1] != '!')
		return SCRIPT_NOT;
	end = line_end(line + 2, last);
	if (!end)
		return SCRIPT_BAD;
	while (blank(end[-1]))
		end--;
	at = next_text(line + 2, end);
	if (!at || at == end)
		return SCRIPT_BAD;
	stop = next_end(at, end);
	if (stop && *stop)
		argument = next_text(stop, end);
	cut(s->interpreter, at, stop && stop < end ? stop : end);
	s->argument[0] = 0;
	s->has_argument = argument && argument < end;
	if (s->has_argument)
		cut(s->argument, argument, end);
	return SCRIPT_OK;
}
