// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reader.h"
#include "report.h"

#define ARGS_MAX (8U << 20)

void *must_realloc(void *p, size_t count, size_t size)
{
	void *grown = reallocarray(p, count, size);

	if (!grown)
		fail_errno("cannot allocate memory");
	return grown;
}

const char *next_word(struct reader *r)
{
	if (!*r->at)
		fail("%s needs a value", r->option);
	return *r->at++;
}

long parse_number(const char *option, const char *text, int base, long max)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, base);
	if (errno || end == text || *end || value < 0 || value > max)
		fail("%s: not a number from 0 to %ld: %s", option, max, text);
	return value;
}

long next_number(struct reader *r, long max)
{
	return parse_number(r->option, next_word(r), 10, max);
}

pid_t next_pid(struct reader *r)
{
	long pid = next_number(r, INT_MAX);

	if (pid == 0)
		fail("%s: 0 is not a process", r->option);
	return (pid_t)pid;
}

const char *next_absolute(struct reader *r)
{
	const char *path = next_word(r);

	if (path[0] != '/')
		fail("%s: not an absolute path: %s", r->option, path);
	return path;
}

static char *read_fd(int fd, size_t *size)
{
	char *text = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t n;

		if (used + 1 >= room) {
			room = room ? room * 2 : 65536;
			if (room > ARGS_MAX)
				fail("--args-fd: more than %u bytes", ARGS_MAX);
			text = must_realloc(text, room, 1);
		}
		n = read(fd, text + used, room - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_errno("--args-fd: cannot read descriptor %d", fd);
		if (n == 0)
			break;
		used += (size_t)n;
	}
	text[used] = 0;
	*size = used;
	return text;
}

char **words_of(char **args)
{
	char **words = NULL;
	size_t count = 0;
	bool command = false;

	for (; *args; args++) {
		char *text, *end;
		size_t size;
		int fd;

		words = must_realloc(words, count + 2, sizeof(*words));
		command = command || strcmp(*args, "--") == 0;
		if (command || strcmp(*args, "--args-fd") != 0 || !args[1]) {
			words[count++] = *args;
			continue;
		}
		fd = (int)parse_number("--args-fd", *++args, 10, INT_MAX);
		text = read_fd(fd, &size);
		close(fd);
		end = text + size;
		if (size > 0 && end[-1] != 0)
			fail("--args-fd: the last word is not closed by NUL");
		for (; text < end; text += strlen(text) + 1) {
			if (count >= WORDS_MAX)
				fail("more than %u words", WORDS_MAX);
			words = must_realloc(words, count + 2, sizeof(*words));
			words[count++] = text;
			command = command || strcmp(text, "--") == 0;
		}
	}
	words = must_realloc(words, count + 1, sizeof(*words));
	words[count] = NULL;
	return words;
}

char *received_word(int fd)
{
	static char buf[65536];
	static size_t used, filled;
	size_t size = 0, room = 128;
	char *word = must_realloc(NULL, room, 1);

	for (;;) {
		if (used == filled) {
			ssize_t n = read(fd, buf, sizeof(buf));

			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0)
				return NULL;
			used = 0;
			filled = (size_t)n;
		}
		if (size == room) {
			room *= 2;
			if (room > ARGS_MAX)
				fail("--stages: more than %u bytes", ARGS_MAX);
			word = must_realloc(word, room, 1);
		}
		word[size++] = buf[used++];
		if (!word[size - 1])
			return word;
	}
}
