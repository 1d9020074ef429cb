// SPDX-License-Identifier: Apache-2.0
#include "exe.h"
#include "kept.h"
#include "paths.h"
#include "program.h"
#include "root.h"
#include "sys.h"
#include "text.h"

#define CHUNK 4096UL

/* Where its first segment lies; 0 = there is no program yet. */
static unsigned long start;
static unsigned int lock;
static const char *own, *told;

/* As it was opened: where it lies there no more. */
static const char *opened = "";

void exe_set(unsigned long address, const char *path)
{
	start = address;
	opened = kept_text(path);
}

void exe_forked(void)
{
	lock = 0;
}

/* "START-END RIGHTS OFFSET DEVICE INODE   PATH"; NULL = another one's. */
static const char *path_in(char *line)
{
	unsigned long at = 0;
	const char *c = line;

	for (; *c && *c != '-'; c++)
		at = at * 16 + (unsigned long)(*c <= '9' ? *c - '0' :
						      *c - 'a' + 10);
	return at == start ? strchr(c, '/') : NULL;
}

/* The name that the kernel has for it by now, as it tells of its own link. */
static const char *look(char *buffer)
{
	long fd = SYS(__NR_openat, AT_FDCWD, "/proc/self/maps",
		      O_RDONLY | O_CLOEXEC), n;
	const char *path = NULL;
	size_t kept = 0;

	while (fd >= 0 && !path &&
	       (n = SYS(__NR_read, fd, buffer + kept, 2 * CHUNK - 1 - kept)) > 0) {
		char *line = buffer, *end;

		buffer[kept + (size_t)n] = 0;
		for (; !path && (end = strchr(line, '\n')); line = end + 1) {
			*end = 0;
			path = path_in(line);
		}
		kept = strlen(line);
		if (!path)
			memmove(buffer, line, kept);
	}
	if (fd >= 0)
		SYS(__NR_close, fd);
	return path;
}

/* Few programs ask: so it is looked for when one does. */
static void find(void)
{
	char buffer[2 * CHUNK], path[PATH_SIZE];
	const char *found;

	if (__atomic_load_n(&told, __ATOMIC_ACQUIRE))
		return;
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__asm__ volatile("pause");
	if (!told) {
		found = start ? look(buffer) : NULL;
		if (!found || !text_copy(path, sizeof(path), found))
			text_copy(path, sizeof(path), opened);
		own = kept_text(path);
		path_location(path, sizeof(path), NO_RULE);
		__atomic_store_n(&told, kept_text(path), __ATOMIC_RELEASE);
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

const char *exe_path(void)
{
	find();
	return told;
}

const char *exe_real(void)
{
	find();
	return own;
}

static bool is_own_number(const char *digits, size_t n)
{
	char pid[24];

	return text_decimal(pid, SYS(__NR_getpid)) == n &&
	       memcmp(pid, digits, n) == 0;
}

bool exe_asked(const char *path)
{
	const char *name, *slash;
	size_t n;

	if (strncmp(path, "/proc/", 6) != 0 || !start || root_changed())
		return false;
	name = path + 6;
	slash = strchr(name, '/');
	if (!slash || strcmp(slash, "/exe") != 0)
		return false;
	n = (size_t)(slash - name);
	if (n == 4 && memcmp(name, "self", 4) == 0)
		return true;
	if (n == 11 && memcmp(name, "thread-self", 11) == 0)
		return true;
	return is_own_number(name, n);
}
