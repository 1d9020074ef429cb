// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "note.h"

/* Of what is added to a head: every byte of exit.json may take six. */
#define ADDED_MAX (6 * EXIT_MAX + 256)

void read_exit(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t n = 0;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size < (off_t)size)
		n = read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = 0;
}

/* put_string() - @text as a JSON string. Bytes above 127 may be no UTF-8. */
static size_t put_string(char *out, const char *text)
{
	size_t used = 0;

	out[used++] = '"';
	for (; *text; text++) {
		unsigned char ch = (unsigned char)*text;

		if (ch >= 0x20 && ch < 0x7f && ch != '"' && ch != '\\')
			out[used++] = (char)ch;
		else
			used += (size_t)sprintf(out + used, "\\u%04x", ch);
	}
	out[used++] = '"';
	return used;
}

static void put_time(char *out, size_t size)
{
	struct timespec now;
	struct tm tm;
	char seconds[24];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, size, "%s.%03ldZ", seconds, now.tv_nsec / 1000000);
}

/* append() - in one write, so that lines of several writers do not mix */
static void append(const char *events, const char *head, const char *added,
		   size_t size)
{
	size_t before = strlen(head);
	char *line = malloc(before + size);
	int fd = open(events, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
		      O_NOFOLLOW, 0600);

	if (line && fd >= 0) {
		memcpy(line, head, before);
		memcpy(line + before, added, size);
		/* A full disk: there is nothing to be done. */
		ssize_t n = write(fd, line, before + size);

		(void)n;
	}
	if (fd >= 0)
		close(fd);
	free(line);
}

void note_end(const char *events, const char *head, int status,
	      const char *exit)
{
	static char added[ADDED_MAX];
	char now[40];
	size_t used;

	put_time(now, sizeof(now));
	used = (size_t)sprintf(added, ",\"status\":%d,\"exit\":", status);
	used += put_string(added + used, exit);
	used += (size_t)sprintf(added + used, ",\"time\":\"%s\"}\n", now);
	append(events, head, added, used);
}

void note_removal(const char *events, const char *head)
{
	char added[64], now[40];

	put_time(now, sizeof(now));
	snprintf(added, sizeof(added), ",\"time\":\"%s\"}\n", now);
	append(events, head, added, strlen(added));
}
