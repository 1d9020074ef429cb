// SPDX-License-Identifier: Apache-2.0
/*
 * /proc/PID/exe of other processes, where the kernel holds the engine as well. Who
 * asks wants to know whether a service runs (start-stop-daemon, pidof, init
 * scripts). A process that this engine loaded has told the kernel its auxiliary
 * vector (first-stack.c), whose entry lies in the program's file: the name of what
 * is mapped there is the answer. Both are open to whom the link is open to.
 */
#include <linux/auxvec.h>

#include "engine.h"
#include "exe.h"
#include "paths.h"
#include "root.h"
#include "sys.h"
#include "text.h"

#define CHUNK 4096UL
#define AUXV_WORDS 128

static size_t skip_number(const char *text)
{
	size_t n = 0;

	while (text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* "/proc/PID/" of @path, where it is "/proc/PID/exe", or of one of its threads. */
static size_t directory_of(const char *path)
{
	static const char task[] = "/task/";
	size_t n = 6, digits;

	if (strncmp(path, "/proc/", n) != 0 || root_changed())
		return 0;
	digits = strncmp(path + n, "self/", 5) == 0 ? 4 : skip_number(path + n);
	n += digits;
	if (digits && strncmp(path + n, task, sizeof(task) - 1) == 0) {
		n += sizeof(task) - 1;
		digits = skip_number(path + n);
		n += digits;
	}
	return digits && n < 36 && strcmp(path + n, "/exe") == 0 ? n + 1 : 0;
}

/* As tools have it that look at many processes (htop). */
void exe_spell(long fd, char *name)
{
	char path[EXE_NAME] = "", link[48] = "/proc/self/fd/";
	const char *last = text_base(name);
	long n;

	if (name[0] == '/' || (strcmp(last, "exe") != 0 &&
			       strcmp(last, "cwd") != 0 && strcmp(last, "root") != 0))
		return;
	if (fd == AT_FDCWD) {
		n = SYS(__NR_getcwd, path, sizeof(path));
	} else {
		text_decimal(link + strlen(link), (int)fd);
		n = SYS(__NR_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	}
	if (n > 0 && (size_t)n < sizeof(path) &&
	    path_is_below(path, "/proc", 5) &&
	    text_join(path, sizeof(path), path, "/") &&
	    text_join(path, sizeof(path), path, name))
		text_copy(name, EXE_NAME, path);
}

static long open_beside(const char *path, size_t directory, const char *name)
{
	char file[EXE_NAME];

	memcpy(file, path, directory);
	text_copy(file + directory, sizeof(file) - directory, name);
	return SYS(__NR_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
}

static bool is_ours(const char *path)
{
	char exe[PATH_SIZE];
	long n = SYS(__NR_readlinkat, AT_FDCWD, path, exe, sizeof(exe) - 1);

	if (n <= 0)
		return false;
	exe[n] = 0;
	return strcmp(exe, engine.path) == 0;
}

static unsigned long entry_of(long auxv)
{
	unsigned long words[AUXV_WORDS];
	long n = SYS(__NR_read, auxv, words, sizeof(words));

	for (long i = 0; i + 1 < n / 8; i += 2)
		if (words[i] == AT_ENTRY)
			return words[i + 1];
	return 0;
}

/* "START-END RIGHTS OFFSET DEVICE INODE   PATH": PATH, where @address is there. */
static const char *path_at(const char *line, unsigned long address)
{
	unsigned long bounds[2] = { 0, 0 };
	const char *c = line;

	for (unsigned int i = 0; i < 2; i++, c++)
		for (; *c && *c != '-' && *c != ' '; c++)
			bounds[i] = bounds[i] * 16 + (unsigned long)
				(*c <= '9' ? *c - '0' : *c - 'a' + 10);
	return address >= bounds[0] && address < bounds[1] ? strchr(c, '/') : NULL;
}

static bool find(long maps, unsigned long address, char *real)
{
	char buffer[2 * CHUNK];
	size_t kept = 0;
	long n;

	while ((n = SYS(__NR_read, maps, buffer + kept,
			sizeof(buffer) - 1 - kept)) > 0) {
		char *line = buffer, *end;

		buffer[kept + (size_t)n] = 0;
		for (; (end = strchr(line, '\n')); line = end + 1) {
			const char *path;

			*end = 0;
			path = path_at(line, address);
			if (path)
				return text_copy(real, PATH_SIZE, path);
		}
		kept = strlen(line);
		memmove(buffer, line, kept);
	}
	return false;
}

bool exe_other(const char *path, char *real)
{
	size_t directory = directory_of(path);
	unsigned long entry = 0;
	bool found = false;
	long fd;

	if (!directory || !is_ours(path))
		return false;
	fd = open_beside(path, directory, "auxv");
	if (fd >= 0) {
		entry = entry_of(fd);
		SYS(__NR_close, fd);
	}
	fd = entry ? open_beside(path, directory, "maps") : -1;
	if (fd >= 0) {
		found = find(fd, entry, real);
		SYS(__NR_close, fd);
	}
	return found;
}

bool exe_known(const char *path, char *location)
{
	if (exe_asked(path))
		return text_copy(location, PATH_SIZE, exe_path());
	if (!exe_other(path, location))
		return false;
	path_location(location, PATH_SIZE, NO_RULE);
	return true;
}
