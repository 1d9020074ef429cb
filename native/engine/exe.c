// SPDX-License-Identifier: Apache-2.0
#include "dispatch.h"
#include "exe.h"
#include "gate.h"
#include "program.h"
#include "sys.h"
#include "text.h"

static char own[PATH_SIZE];

void exe_set(long fd)
{
	char link[48];
	long n;

	text_copy(link, sizeof(link), "/proc/self/fd/");
	text_decimal(link + strlen(link), fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, own, sizeof(own) - 1);
	own[n > 0 ? n : 0] = 0;
}

const char *exe_path(void)
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

	if (strncmp(path, "/proc/", 6) != 0 || !own[0])
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

static bool asked(unsigned long pointer)
{
	char path[64];

	/* Longer ones are others. */
	return copy_text(path, (const char *)pointer, sizeof(path)) > 0 &&
	       exe_asked(path);
}

static long read_link(unsigned long to, unsigned long size)
{
	size_t n = strlen(own);

	if ((int)size <= 0)
		return -EINVAL;
	if (n > size)
		n = size;
	return copy_bytes((void *)to, own, n) < 0 ? -EFAULT : (long)n;
}

static long call_readlink(struct record *r)
{
	return asked(r->rdi) ? read_link(r->rsi, r->rdx) : call_through(r);
}

static long call_readlinkat(struct record *r)
{
	return asked(r->rsi) ? read_link(r->rdx, r->r10) : call_through(r);
}

/* Calls that follow the link get the file itself. */
static long with_file(struct record *r, unsigned long *argument)
{
	unsigned long was = *argument;
	long result;

	if (!asked(was))
		return call_through(r);
	*argument = (unsigned long)own;
	result = call_through(r);
	*argument = was;
	return result;
}

static long call_open(struct record *r)
{
	return with_file(r, &r->rdi);
}

static long call_openat(struct record *r)
{
	return with_file(r, &r->rsi);
}

/* Without following it is a link, as it is. */
static long call_fstatat(struct record *r)
{
	if (r->r10 & AT_SYMLINK_NOFOLLOW)
		return call_through(r);
	return with_file(r, &r->rsi);
}

void exe_add(void)
{
	dispatch_add(__NR_readlink, call_readlink);
	dispatch_add(__NR_readlinkat, call_readlinkat);
	dispatch_add(__NR_open, call_open);
	dispatch_add(__NR_stat, call_open);
	dispatch_add(__NR_access, call_open);
	dispatch_add(__NR_openat, call_openat);
	dispatch_add(__NR_newfstatat, call_fstatat);
}
