// SPDX-License-Identifier: Apache-2.0
/*
 * Element: users. Who others are: at the other end of a socket of AF_UNIX
 * (SO_PEERCRED, SCM_CREDENTIALS), and in /proc/PID/status. The kernel tells the
 * process, and the page who that is: now, not when it connected.
 */
#include "gate.h"
#include "loopback.h"
#include "memory-file.h"
#include "program.h"
#include "sys.h"
#include "text.h"
#include "users.h"

#define SCM_CREDENTIALS 2
#define CONTROL_SIZE 4096
#define STATUS_SIZE 8192

struct credentials {
	int pid;
	uint32_t uid, gid;
};

struct control {
	uint64_t size;
	int level, type;
};

#define CONTROL_STEP(n) (((n) + 7UL) & ~7UL)

/* As the application sees what the kernel says. */
static void show(struct credentials *c)
{
	uint32_t uid, gid;

	if (c->uid != users_real_uid)
		return;
	if (!users_of(c->pid, &uid, &gid))
		uid = gid = 0;
	c->uid = uid;
	c->gid = gid;
}

static long call_getsockopt(struct record *r)
{
	long result = call_before(&users_before, r);
	struct credentials c;
	unsigned int size;

	if (result < 0 || (int)r->rsi != SOL_SOCKET ||
	    (int)r->rdx != SO_PEERCRED ||
	    copy_bytes(&size, (const void *)r->r8, sizeof(size)) < 0 ||
	    size != sizeof(c) ||
	    copy_bytes(&c, (const void *)r->r10, sizeof(c)) < 0)
		return result;
	show(&c);
	return copy_bytes((void *)r->r10, &c, sizeof(c));
}

/* Each credentials among @size bytes of control messages at @control. */
static void each(char *control, size_t size, void (*one)(struct credentials *c))
{
	struct control head;

	for (size_t at = 0; at + sizeof(head) <= size;) {
		memcpy(&head, control + at, sizeof(head));
		if (head.size < sizeof(head) || head.size > size - at)
			return;
		if (head.level == SOL_SOCKET && head.type == SCM_CREDENTIALS &&
		    head.size == sizeof(head) + sizeof(struct credentials)) {
			struct credentials c;

			memcpy(&c, control + at + sizeof(head), sizeof(c));
			one(&c);
			memcpy(control + at + sizeof(head), &c, sizeof(c));
		}
		at += CONTROL_STEP(head.size);
	}
}

static long call_recvmsg(struct record *r)
{
	long result = call_before(&users_before, r);
	char control[CONTROL_SIZE];
	unsigned long header[7];

	/* The kernel has written how much there is. */
	if (result < 0 ||
	    copy_bytes(header, (const void *)r->rsi, sizeof(header)) < 0 ||
	    header[5] == 0 || header[5] > sizeof(control) ||
	    copy_bytes(control, (const void *)header[4], header[5]) < 0)
		return result;
	each(control, header[5], show);
	copy_bytes((void *)header[4], control, header[5]);
	return result;
}

/* The kernel takes only what it knows to be true. */
static void hide(struct credentials *c)
{
	const struct ids *i = users_self();

	for (unsigned int k = 0; k < ID_FS; k++) {
		if (c->uid == i->uid[k] || ids_may(i, CAP_SETUID)) {
			c->uid = users_real_uid;
			break;
		}
	}
	for (unsigned int k = 0; k < ID_FS; k++) {
		if (c->gid == i->gid[k] || ids_may(i, CAP_SETGID)) {
			c->gid = users_real_gid;
			break;
		}
	}
}

static long call_sendmsg(struct record *r)
{
	char control[CONTROL_SIZE];
	unsigned long header[7], was = r->rsi;
	long result;

	if (copy_bytes(header, (const void *)was, sizeof(header)) < 0 ||
	    header[5] == 0 || header[5] > sizeof(control) ||
	    copy_bytes(control, (const void *)header[4], header[5]) < 0)
		return call_before(&users_before, r);
	each(control, header[5], hide);
	header[4] = (unsigned long)control;
	r->rsi = (unsigned long)header;
	result = call_before(&users_before, r);
	r->rsi = was;
	return result;
}

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

void users_peers_add(void)
{
	dispatch_over(&users_before, __NR_getsockopt, call_getsockopt);
	dispatch_over(&users_before, __NR_recvmsg, call_recvmsg);
	dispatch_over(&users_before, __NR_sendmsg, call_sendmsg);
	/* Over what makes new files. */
	dispatch_over(&opens, __NR_open, call_open);
	dispatch_over(&opens, __NR_openat, call_openat);
}
