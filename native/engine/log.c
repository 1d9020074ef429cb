// SPDX-License-Identifier: Apache-2.0
/*
 * A file a process, DIRECTORY/PID.jsonl, opened anew for each line: a descriptor
 * that stayed open would be the program's. What is longer than LOG_MAX is cut
 * off there, and so says its last line.
 */
#include "engine.h"
#include "log.h"
#include "sys.h"
#include "text.h"

#define LOG_MAX (1L << 20)
#define SHOWN 1000	/* bytes that are written of a path, quoted */

struct line {
	char text[2600];
	size_t used;
};

static void put(struct line *l, const char *s)
{
	size_t n = strlen(s);

	if (l->used + n > sizeof(l->text))
		n = sizeof(l->text) - l->used;
	memcpy(l->text + l->used, s, n);
	l->used += n;
}

/* As JSON has it; bytes that are no characters of their own stay as they are. */
static void put_quoted(struct line *l, const char *s)
{
	static const char digits[] = "0123456789abcdef";
	size_t end = l->used + SHOWN;

	put(l, "\"");
	for (; l->used < end && *s; s++) {
		unsigned char c = (unsigned char)*s;
		char code[] = { '\\', 'u', '0', '0', digits[c >> 4],
				digits[c & 15], 0 };
		char plain[] = { (char)c, 0 };

		put(l, c < 32 || c == 127 || c == '"' || c == '\\' ? code : plain);
	}
	put(l, "\"");
}

static void put_number(struct line *l, const char *name, int64_t value)
{
	char text[24];

	text_decimal(text, value);
	put(l, name);
	put(l, text);
}

static void write_line(const struct line *l)
{
	char path[4096 + 40], pid[24];
	struct file_status st;
	long fd;

	text_decimal(pid, SYS(__NR_getpid));
	if (!text_join(path, sizeof(path), engine.log, "/") ||
	    !text_join(path, sizeof(path), path, pid) ||
	    !text_join(path, sizeof(path), path, ".jsonl"))
		return;
	fd = SYS(__NR_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT |
		 O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	if (SYS(__NR_fstat, fd, &st) == 0 && st.size < LOG_MAX) {
		SYS(__NR_write, fd, l->text, l->used);
		if (st.size + (int64_t)l->used >= LOG_MAX)
			SYS(__NR_write, fd, "{\"full\":true}\n", 14);
	}
	SYS(__NR_close, fd);
}

void log_led(const char *kind, const char *from, const char *to, long error)
{
	struct timespec now = { 0, 0 };
	struct line l = { .used = 0 };

	if (!engine.log)
		return;
	SYS(__NR_clock_gettime, 0, &now);
	put_number(&l, "{\"time\":", now.tv_sec * 1000 + now.tv_nsec / 1000000);
	put_number(&l, ",\"tid\":", SYS(__NR_gettid));
	put(&l, ",\"kind\":");
	put_quoted(&l, kind);
	put(&l, ",\"from\":");
	put_quoted(&l, from);
	put(&l, ",\"to\":");
	put_quoted(&l, to ? to : from);
	put(&l, to ? ",\"redirected\":true" : ",\"redirected\":false");
	if (error < 0)
		put_number(&l, ",\"errno\":", -error);
	put(&l, "}\n");
	write_line(&l);
}
