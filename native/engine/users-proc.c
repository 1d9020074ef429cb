// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. The lines of /proc/PID/status that say who a process is, as
 * proc_pid_status() of fs/proc/array.c writes them. Who opens it to read it gets
 * a text in memory.
 */
#include "gate.h"
#include "memory-file.h"
#include "program.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define STATUS_SIZE 8192

static char *put_ids(char *to, const char *name, const uint32_t id[ID_KINDS])
{
	text_copy(to, 8, name);
	to += strlen(to);
	for (unsigned int k = 0; k < ID_KINDS; k++) {
		*to++ = '\t';
		to += text_decimal(to, id[k]);
	}
	*to++ = '\n';
	return to;
}

static char *put_set(char *to, const char *name, uint64_t set)
{
	static const char digits[] = "0123456789abcdef";

	text_copy(to, 16, name);
	to += strlen(to);
	*to++ = '\t';
	for (int shift = 60; shift >= 0; shift -= 4)
		*to++ = digits[set >> shift & 15];
	*to++ = '\n';
	return to;
}

static char *put_groups(char *to, const struct ids *i)
{
	text_copy(to, 16, "Groups:\t");
	to += strlen(to);
	for (uint32_t k = 0; k < i->count; k++) {
		to += text_decimal(to, i->group[k]);
		if (k + 1 < i->count)
			*to++ = ' ';
	}
	*to++ = ' ';
	*to++ = '\n';
	return to;
}

/* The line that begins at @line, where it is one of those that tell who the
 * process is: how it reads, behind @to; NULL: it is another one. */
static char *put_line(char *to, const char *line, const struct ids *i)
{
	static const struct { char name[8]; size_t at; } sets[] = {
		{ "CapInh:", offsetof(struct ids, inheritable) },
		{ "CapPrm:", offsetof(struct ids, permitted) },
		{ "CapEff:", offsetof(struct ids, effective) },
		{ "CapBnd:", offsetof(struct ids, bound) },
		{ "CapAmb:", offsetof(struct ids, ambient) },
	};

	if (strncmp(line, "Uid:", 4) == 0)
		return put_ids(to, "Uid:", i->uid);
	if (strncmp(line, "Gid:", 4) == 0)
		return put_ids(to, "Gid:", i->gid);
	if (strncmp(line, "Groups:", 7) == 0)
		return put_groups(to, i);
	for (unsigned int k = 0; k < sizeof(sets) / sizeof(sets[0]); k++)
		if (strncmp(line, sets[k].name, 7) == 0)
			return put_set(to, sets[k].name, *(const uint64_t *)
				       (const void *)((const char *)i +
						      sets[k].at));
	return NULL;
}

/* The ids of process @pid as far as they are known here; false: it is none of
 * the instance. */
static bool ids_of(struct ids *i, int64_t pid)
{
	uint32_t uid, gid;

	if (pid == SYS(__NR_getpid)) {
		*i = *users_self();
		return true;
	}
	if (!users_of((long)pid, &uid, &gid))
		return false;
	ids_root(i);
	for (unsigned int k = 0; k < ID_KINDS; k++) {
		i->uid[k] = uid;
		i->gid[k] = gid;
	}
	if (uid != 0)
		i->effective = i->permitted = 0;
	return true;
}

/* Whether @fd is /proc/PID/status or that of a thread; whose. */
static bool is_status(long fd, int64_t *pid)
{
	char link[48], path[64], *slash;
	long n;

	descriptor_link(link, fd);
	n = SYS(__NR_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	if (strncmp(path, "/proc/", 6) != 0 ||
	    strcmp(text_base(path), "status") != 0)
		return false;
	slash = strchr(path + 6, '/');
	*slash = 0;
	return text_number(path + 6, pid);
}

static size_t rewrite(char *to, const char *text, const struct ids *i)
{
	char *end = to;

	while (*text) {
		const char *next = strchr(text, '\n');
		char *put = put_line(end, text, i);
		size_t n = next ? (size_t)(next + 1 - text) : strlen(text);

		if (!put) {
			memcpy(end, text, n);
			put = end + n;
		}
		end = put;
		text += n;
	}
	return (size_t)(end - to);
}

static long status_file(long fd, int64_t pid, unsigned long flags)
{
	/* Longer by the groups, and a little by the ids. */
	char text[STATUS_SIZE], shown[STATUS_SIZE + IDS_TEXT];
	struct ids i;
	long n;

	if (!ids_of(&i, pid))
		return fd;
	n = SYS(__NR_pread64, fd, text, sizeof(text) - 1, 0);
	if (n <= 0 || n == (long)sizeof(text) - 1)
		return fd;
	text[n] = 0;
	SYS(__NR_close, fd);
	return memory_file("status", shown, rewrite(shown, text, &i), flags);
}

static struct before opens;

static long opened(struct record *r, unsigned long path, unsigned long flags)
{
	char name[PATH_SIZE];
	long fd = call_before(&opens, r);
	int64_t pid;

	if (fd < 0 || flags & (O_PATH | 3) ||
	    copy_text(name, (const char *)path, sizeof(name)) <= 0 ||
	    strcmp(text_base(name), "status") != 0 || !is_status(fd, &pid))
		return fd;
	return status_file(fd, pid, flags);
}

static long call_open(struct record *r)
{
	return opened(r, r->rdi, r->rsi);
}

static long call_openat(struct record *r)
{
	return opened(r, r->rsi, r->rdx);
}

void users_proc_add(void)
{
	/* Over what makes new files. */
	dispatch_over(&opens, __NR_open, call_open);
	dispatch_over(&opens, __NR_openat, call_openat);
}
