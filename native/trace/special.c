// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/net.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

#include "ask.h"
#include "look.h"
#include "memory.h"
#include "resolve.h"
#include "sockname.h"
#include "special.h"

#define ARGS_MAX 64
#define NR_MOVE_MOUNT 429

static struct name scratch;

void lost(struct task *t, enum lost_reason reason, const char *text)
{
	char what[128];
	int n = snprintf(what, sizeof(what), "process %d: %s",
			 (int)task_tgid(t), text);

	record_lost(t->pid, reason, (struct span){ what, (size_t)n });
}

static bool keep(struct task *t, const struct call *c, struct span text)
{
	if (!task_keep(t, text.p, text.n, NULL, 0))
		return false;
	t->pending.call = c;
	t->pending.unresolved = false;
	return true;
}

static void put_args(struct task *t, const struct entry *e, uint64_t argv)
{
	static char text[STRING_MAX];
	size_t width = e->i386 ? 4 : 8;

	for (unsigned i = 0; argv != 0 && i < ARGS_MAX; i++) {
		uint64_t at = 0;
		long n;

		if (!memory_read(t, argv + i * width, &at, width) || at == 0)
			return;
		n = memory_string(t, at, text, sizeof(text));
		if (n == -1)
			return;
		record_exec_arg((struct span){ text, n < 0 ? sizeof(text)
							   : (size_t)n });
	}
}

static bool enter_exec(struct task *t, const struct call *c,
		       const struct entry *e)
{
	static char raw[STRING_MAX];
	int fd = c->dir < 0 ? AT_FDCWD : (int)e->arg[c->dir];
	long n = memory_string(t, e->arg[c->path], raw, sizeof(raw));
	struct span cwd;

	scratch.n = 0;
	if (n > 0)
		resolve(t, fd, (struct span){ raw, (size_t)n }, false,
			&scratch);
	else if (n == 0 && c->dir >= 0 && !resolve_fd(t, fd, &scratch))
		scratch.n = (size_t)snprintf(scratch.text, 64,
					     "/proc/%d/fd/%d",
					     (int)task_tgid(t), fd);
	record_exec_begin(name_span(&scratch));
	put_args(t, e, e->arg[c->path + 1]);
	cwd = task_cwd(t);
	return keep(t, c, record_exec_end(cwd));
}

void call_executed(struct task *t)
{
	struct pending *k = &t->pending;

	t->fs->cwd_gone = false;
	fs_forget_cwd(t);
	if (!k->call || k->call->kind != KIND_EXEC)
		return;
	if (!resolve_exe(t, &scratch))
		scratch.n = 0;
	record_exec(t->pid, 0, (struct span){ k->text, k->n },
		    name_span(&scratch));
	t->program = seen_key(~0U, scratch.text, scratch.n, NULL, 0).b;
	k->call = NULL;
	ask_executed(t, record_exec_path((struct span){ k->text, k->n }));
}

static bool enter_socket(struct task *t, const struct call *c,
			 const uint64_t *arg, unsigned kind)
{
	struct pending *k = &t->pending;
	struct sockaddr_storage addr;
	size_t n = (size_t)(uint32_t)arg[2];
	struct bind_record b;

	memset(&addr, 0, sizeof(addr));
	if (n > sizeof(addr))
		n = sizeof(addr);
	if (kind == 2)
		n = 0;
	else if (n < 2 || !memory_read(t, arg[1], &addr, n))
		return false;
	b = bind_from(&addr, n);
	if (b.family == AF_UNIX && b.address.n > 0 && b.address.p[0] &&
	    resolve(t, AT_FDCWD, b.address, false, &scratch))
		b.address = name_span(&scratch);
	if (!keep(t, c, b.address))
		return false;
	k->op = (uint8_t)kind;
	k->fd = (int)arg[0];
	k->family = b.family;
	k->port = b.port;
	k->flags = 0;
	if (b.family == AF_UNIX && kind == 1 && k->n > 0 && k->text[0] &&
	    existed(t, &scratch, true))
		k->flags = PATH_EXISTED;
	return true;
}

static void exit_socket(struct task *t, int32_t result)
{
	const struct pending *k = &t->pending;
	struct bind_record b = { .family = k->family, .port = k->port,
				 .address = { k->text, k->n }, .kind = k->op,
				 .result = result };
	struct path_record r = { .op = OP_SOCKET, .flags = k->flags,
				 .result = result, .path = b.address,
				 .second = { "", 0 } };
	struct sockaddr_storage addr;
	socklen_t n;

	if (k->op != 3 && result == 0) {
		/* Asked for, because port 0 stands for any free one. */
		memset(&addr, 0, sizeof(addr));
		n = sockname(t, k->fd, &addr);
		if (n > 0 && (k->op == 2 || addr.ss_family != AF_UNIX)) {
			b = bind_from(&addr, n);
			b.kind = k->op;
			if (b.family == AF_UNIX && b.address.n > 0 &&
			    b.address.p[0] &&
			    resolve(t, AT_FDCWD, b.address, false, &scratch))
				b.address = name_span(&scratch);
		}
	}
	record_bind(t->pid, &b);
	if (k->op != 2 && b.family == AF_UNIX && b.address.n > 0 &&
	    b.address.p[0] == '/')
		record_path(t->pid, &r, record_key(&r, t->program));
}

static bool enter_socketcall(struct task *t, const struct call *c,
			     const struct entry *e)
{
	uint32_t words[3] = { 0, 0, 0 };
	unsigned number = (unsigned)e->arg[0];
	unsigned count = number == SYS_LISTEN ? 2 : 3;
	uint64_t arg[3];

	if (number != SYS_BIND && number != SYS_LISTEN &&
	    number != SYS_CONNECT)
		return false;
	if (!memory_read(t, e->arg[1], words, count * sizeof(words[0])))
		return false;
	for (unsigned i = 0; i < 3; i++)
		arg[i] = words[i];
	return enter_socket(t, c, arg, number == SYS_BIND ? 1U :
			    number == SYS_LISTEN ? 2U : 3U);
}

/* A child made with CLONE_UNTRACED would run under the filter without a
 * tracer: every call of it would fail. The flag means nothing else. */
static void keep_traced(const struct task *t, const struct call *c,
			const struct entry *e)
{
	uintptr_t flags = (uintptr_t)(t->clone_flags &
				      ~(uint64_t)CLONE_UNTRACED);
	size_t reg = e->i386 ? offsetof(struct user_regs_struct, rbx)
			     : offsetof(struct user_regs_struct, rdi);

	if (c->op == 1)
		ptrace(PTRACE_POKEUSER, t->pid, (void *)reg, (void *)flags);
	else
		ptrace(PTRACE_POKEDATA, t->pid,
		       (void *)(uintptr_t)e->arg[0], (void *)flags);
}

static bool enter_fork(struct task *t, const struct call *c,
		       const struct entry *e)
{
	/* The mask of the parent is inherited. */
	t->steady = true;
	t->clone_flags = c->flags < 0 ? 0 : e->arg[0];
	if (c->op == 3 && !memory_read(t, e->arg[0], &t->clone_flags,
				       sizeof(t->clone_flags)))
		t->clone_flags = 0;
	if (t->clone_flags & CLONE_UNTRACED)
		keep_traced(t, c, e);
	return false;
}

bool special_enter(struct task *t, const struct call *c,
		   const struct entry *e)
{
	struct span none = { "", 0 };

	switch ((enum call_kind)c->kind) {
	case KIND_EXEC:
		return enter_exec(t, c, e);
	case KIND_SOCKET:
		return enter_socket(t, c, e->arg, c->op);
	case KIND_SOCKETCALL:
		return enter_socketcall(t, c, e);
	case KIND_UNSHARE:
		if (e->arg[0] & CLONE_NEWUSER)
			t->less_rights = true;
		return (e->arg[0] & (CLONE_FS | CLONE_NEWNS |
				     CLONE_NEWUSER)) && keep(t, c, none);
	case KIND_SETNS:
		t->less_rights = true;
		return keep(t, c, none);
	case KIND_IDS:
		t->less_rights = true;
		return false;
	case KIND_PTRACE:
		lost(t, LOST_PTRACE, "asked to trace; it is traced itself");
		return false;
	case KIND_SECCOMP:
		t->pending.flags = 0;
		return e->arg[0] == SECCOMP_SET_MODE_FILTER &&
		       (e->arg[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER) &&
		       keep(t, c, none);
	case KIND_IOURING:
		return keep(t, c, none);
	case KIND_FORK:
		return enter_fork(t, c, e);
	case KIND_AFFINITY:
		t->steady = true;
		return false;
	default:
		return false;
	}
}

static void say_root(struct task *t)
{
	bool foreign;
	struct span root;

	fs_forget_root(t);
	root = task_root(t, &foreign);
	if (root.n == 0)
		root = (struct span){ "/", 1 };
	record_root(t->pid, foreign ? 1 : 0, root);
}

void special_exit(struct task *t, int32_t result)
{
	struct pending *k = &t->pending;

	switch ((enum call_kind)k->call->kind) {
	case KIND_EXEC:
		record_exec(t->pid, result, (struct span){ k->text, k->n },
			    (struct span){ "", 0 });
		break;
	case KIND_SOCKET:
	case KIND_SOCKETCALL:
		exit_socket(t, result);
		break;
	case KIND_UNSHARE:
	case KIND_SETNS:
		if (result >= 0) {
			fs_own(t);
			say_root(t);
		}
		break;
	case KIND_SECCOMP:
		if (result >= 0)
			lost(t, LOST_NOTIFY, "has a filter with a supervisor");
		else if (result == -EBUSY)
			lost(t, LOST_REFUSED, "may not have a supervisor of "
			     "its filter in this mode: use seccomp or plain");
		break;
	case KIND_IOURING:
		if (result >= 0)
			lost(t, LOST_IOURING, "uses io_uring");
		break;
	default:
		break;
	}
}

void special_effect(struct task *t)
{
	switch ((enum call_kind)t->pending.call->kind) {
	case KIND_CHDIR:
	case KIND_FCHDIR:
		fs_forget_cwd(t);
		break;
	case KIND_TWO:
		if (t->pending.op == OP_RENAME)
			fs_generation++;
		break;
	case KIND_PIVOT:
		/* Moves the root and directory of every task in it. */
		fs_generation++;
		say_root(t);
		break;
	case KIND_CHROOT:
		say_root(t);
		break;
	case KIND_MOUNT:
		fs_generation++;
		break;
	default:
		break;
	}
}

void mount_note(struct task *t, const struct call *c, const struct entry *e)
{
	static const char *const safe[] = {
		"", "tmpfs", "proc", "sysfs", "overlay", "devpts", "mqueue",
		"cgroup", "cgroup2", "ext4", "xfs", "btrfs", "none", "devtmpfs",
	};
	char type[32];
	long n;

	if (c->nr64 == NR_MOVE_MOUNT)
		lookups_off = true;	/* of a type said to fsopen() */
	if (c->path2 < 0)
		return;
	n = e->arg[2] ? memory_string(t, e->arg[2], type, sizeof(type)) : 0;
	if (n == -1)
		n = 0;
	for (size_t i = 0; n >= 0 && i < sizeof(safe) / sizeof(safe[0]); i++)
		if (strlen(safe[i]) == (size_t)n &&
		    memcmp(safe[i], type, (size_t)n) == 0)
			return;
	lookups_off = true;
}

static void inherited_socket(pid_t cmd, int fd)
{
	struct sockaddr_storage addr;
	socklen_t n = sizeof(addr);
	struct bind_record b;

	memset(&addr, 0, sizeof(addr));
	if (getsockname(fd, (struct sockaddr *)&addr, &n) < 0 ||
	    n > sizeof(addr))
		return;
	b = bind_from(&addr, n);
	b.kind = 4;
	if (b.address.n > 0)
		record_bind(cmd, &b);
}

static void inherited_file(pid_t cmd, int fd, const struct stat *st)
{
	struct path_record r = { .op = OP_READ, .flags = PATH_INHERITED |
				 PATH_EXISTED, .second = { "", 0 } };
	char file[40], link[4097];
	int flags = fcntl(fd, F_GETFL);
	long n;

	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	n = readlink(file, link, sizeof(link));
	if (flags < 0 || n <= 0 || link[0] != '/' || st->st_nlink == 0)
		return;
	if (S_ISDIR(st->st_mode))
		r.op = OP_LIST;
	else if ((flags & 3) != O_RDONLY)
		r.op = OP_WRITE;
	r.result = fd;
	r.path = (struct span){ link, (size_t)n };
	record_path(cmd, &r, record_key(&r, 0));
}

void report_inherited(pid_t cmd, int but)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)) != NULL) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == but ||
		    fd == dirfd(dir) || fstat(fd, &st) < 0 ||
		    (fcntl(fd, F_GETFD) & FD_CLOEXEC))
			continue;
		if (S_ISSOCK(st.st_mode))
			inherited_socket(cmd, fd);
		else
			inherited_file(cmd, fd, &st);
	}
	if (dir)
		closedir(dir);
}
