// SPDX-License-Identifier: Apache-2.0
/*
 * Element: uname, as /proc tells it: proc_do_uts_string() of
 * kernel/utsname_sysctl.c and version_proc_show() of fs/proc/version.c. Who opens
 * one of these files to read it gets the text in memory. Writing is the kernel's.
 */
#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "kernel-views.h"
#include "memory-file.h"
#include "program.h"
#include "sys.h"
#include "text.h"

#define KERNEL "/proc/sys/kernel/"
#define VERSION "/proc/version"
#define BEFORE_RELEASE "Linux version "

static struct before before;

static const char *own_name(const char *path)
{
	const struct policy *p = &engine.policy;

	if (strncmp(path, KERNEL, sizeof(KERNEL) - 1) != 0)
		return "";
	path += sizeof(KERNEL) - 1;
	if (strcmp(path, "osrelease") == 0)
		return p->release;
	if (strcmp(path, "version") == 0)
		return p->version;
	if (strcmp(path, "hostname") == 0)
		return p->node;
	return strcmp(path, "domainname") == 0 ? p->domain : "";
}

/* "Linux version RELEASE (who made it, and with what) VERSION" */
static bool put_version(char *to)
{
	const struct policy *p = &engine.policy;
	char text[VIEW_SIZE], *release, *rest, *end;
	long fd = SYS(__NR_openat, AT_FDCWD, VERSION, O_RDONLY | O_CLOEXEC), n;

	if (fd < 0)
		return false;
	n = SYS(__NR_read, fd, text, sizeof(text) - 1);
	SYS(__NR_close, fd);
	text[n > 0 ? n : 0] = 0;
	release = text + sizeof(BEFORE_RELEASE) - 1;
	if (strncmp(text, BEFORE_RELEASE, sizeof(BEFORE_RELEASE) - 1) != 0)
		return false;
	rest = strchr(release, ' ');
	end = rest ? strrchr(rest, '#') : NULL;
	if (!rest || !end)
		return false;
	*rest++ = 0;
	if (p->version[0])
		*end = 0;
	return text_join(to, VIEW_SIZE, BEFORE_RELEASE,
			 p->release[0] ? p->release : release) &&
	       text_join(to, VIEW_SIZE, to, " ") &&
	       text_join(to, VIEW_SIZE, to, rest) &&
	       (!p->version[0] || (text_join(to, VIEW_SIZE, to, p->version) &&
				   text_join(to, VIEW_SIZE, to, "\n")));
}

size_t view_text(char *to, const char *path)
{
	const struct policy *p = &engine.policy;

	if (strcmp(path, VERSION) == 0)
		return (p->release[0] || p->version[0]) && put_version(to)
			       ? strlen(to) : 0;
	if (!own_name(path)[0])
		return 0;
	text_join(to, VIEW_SIZE, own_name(path), "\n");
	return strlen(to);
}

static bool may_be_view(const char *path, size_t n)
{
	const char *name;

	/* The last letter of each: this stands in front of every open(). */
	if (path[n - 1] != 'e' && path[n - 1] != 'n')
		return false;
	name = text_base(path);
	return strcmp(name, "osrelease") == 0 || strcmp(name, "version") == 0 ||
	       strcmp(name, "hostname") == 0 || strcmp(name, "domainname") == 0;
}

/* By what is open: the path may be relative, or below another root. */
static long opened(struct record *r, unsigned long path, unsigned long flags)
{
	char name[PATH_SIZE], link[48], text[VIEW_SIZE];
	long fd = call_before(&before, r), n;

	if (fd < 0 || flags & (O_PATH | 3))
		return fd;
	n = copy_text(name, (const char *)path, sizeof(name));
	if (n <= 0 || !may_be_view(name, (size_t)n))
		return fd;
	text_copy(link, sizeof(link), "/proc/self/fd/");
	text_decimal(link + strlen(link), fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = 0;
	n = (long)view_text(text, name);
	if (n == 0)
		return fd;
	SYS(__NR_close, fd);
	return memory_file(text_base(name), text, (size_t)n, flags);
}

static long call_open(struct record *r)
{
	return opened(r, r->rdi, r->rsi);
}

static long call_openat(struct record *r)
{
	return opened(r, r->rsi, r->rdx);
}

void views_add(void)
{
	const struct policy *p = &engine.policy;

	if (!p->node[0] && !p->domain[0] && !p->release[0] && !p->version[0])
		return;
	dispatch_over(&before, __NR_open, call_open);
	dispatch_over(&before, __NR_openat, call_openat);
}
