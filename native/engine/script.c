// SPDX-License-Identifier: Apache-2.0
#include "script.h"
#include "text.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static void cut(char *to, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);

	memcpy(to, from, n);
	to[n] = 0;
}

enum script_verdict script_read(const char *head, size_t n, struct script *s)
{
	const char *at = head + 2, *end, *stop;
	bool whole = false;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return SCRIPT_NOT;
	if (n > SCRIPT_HEAD)
		n = SCRIPT_HEAD;
	/* The kernel sees zeros behind a short file, and ends at the first. */
	for (end = at; end < head + n; end++) {
		if (*end == '\n' || *end == 0) {
			whole = true;
			break;
		}
	}
	if (n < SCRIPT_HEAD)
		whole = true;
	while (at < end && blank(*at))
		at++;
	while (end > at && blank(end[-1]))
		end--;
	for (stop = at; stop < end && !blank(*stop); stop++)
		;
	/* A path that is cut off would be another one; an argument may be. */
	if (stop == at || (stop == end && !whole))
		return SCRIPT_BAD;
	cut(s->interpreter, at, stop);
	while (stop < end && blank(*stop))
		stop++;
	cut(s->argument, stop, end);
	return SCRIPT_OK;
}
