// SPDX-License-Identifier: Apache-2.0
#include "exe.h"
#include "paths.h"
#include "program.h"
#include "root.h"
#include "sys.h"
#include "text.h"

static char own[PATH_SIZE], told[PATH_SIZE];

void exe_set(long fd)
{
	char link[48];
	long n;

	text_copy(link, sizeof(link), "/proc/self/fd/");
	text_decimal(link + strlen(link), fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, own, sizeof(own) - 1);
	own[n > 0 ? n : 0] = 0;
	text_copy(told, sizeof(told), own);
	path_location(told, sizeof(told), NO_RULE);
}

const char *exe_path(void)
{
	return told;
}

const char *exe_real(void)
{
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

	if (strncmp(path, "/proc/", 6) != 0 || !own[0] || root_changed())
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
