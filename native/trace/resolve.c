// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. The links /proc/PID/{root,cwd,fd/N} give the kernel's own name for
 * a directory, seen from the tracer's root, without symbolic links. What the
 * program wrote is appended to it. Slashes and "." are tidied; ".." is taken
 * away only directly after such a canonical part, for elsewhere the name
 * before it may be a symbolic link: there it stays, and the reader of the
 * record resolves it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dirs.h"
#include "resolve.h"

pid_t task_tgid(struct task *t)
{
	char file[40], line[256], *at;
	long n;
	int fd;

	if (t->tgid)
		return t->tgid;
	snprintf(file, sizeof(file), "/proc/%d/status", (int)t->pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return t->pid;
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n > 0) {
		line[n] = '\0';
		at = strstr(line, "\nTgid:");
		if (at)
			t->tgid = (pid_t)strtol(at + 6, NULL, 10);
	}
	return t->tgid ? t->tgid : t->pid;
}

static long read_link(const struct task *t, const char *which, char *buf,
		      size_t room)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/%d/%s", (int)t->pid, which);
	return readlink(file, buf, room);
}

static bool same_namespace(const struct task *t)
{
	static char mine[64];
	char theirs[64];
	long n;

	if (!mine[0]) {
		n = readlink("/proc/self/ns/mnt", mine, sizeof(mine) - 1);
		if (n < 0)
			return true;
	}
	n = read_link(t, "ns/mnt", theirs, sizeof(theirs) - 1);
	if (n < 0)
		return true;
	theirs[n] = '\0';
	return strcmp(mine, theirs) == 0;
}

struct span task_root(struct task *t, bool *foreign)
{
	struct fs *fs = t->fs;
	static char link[4097];
	long n;

	if (!fs->root_known || fs->uncached) {
		fs->foreign = !same_namespace(t);
		n = read_link(t, "root", link, sizeof(link) - 1);
		if (n <= 1 || link[0] != '/')
			n = 0;
		link[n] = '\0';
		free(fs->root);
		fs->root = strdup(link);
		fs->root_n = fs->root ? (size_t)n : 0;
		fs->root_known = fs->root != NULL;
	}
	*foreign = fs->foreign;
	return (struct span){ fs->root ? fs->root : "", fs->root_n };
}

/* The kernel marks the name of a removed object by an ending that a living
 * one may also have: ask it how many links there are. */
static size_t strip_deleted(const struct task *t, const char *which,
			    const char *link, size_t n)
{
	static const char mark[] = " (deleted)";
	size_t m = sizeof(mark) - 1;
	struct stat st;
	char file[64];

	if (n <= m || memcmp(link + n - m, mark, m) != 0)
		return n;
	snprintf(file, sizeof(file), "/proc/%d/%s", (int)t->pid, which);
	if (stat(file, &st) < 0 || st.st_nlink == 0)
		return n - m;
	return n;
}

struct span task_cwd(struct task *t)
{
	static char link[4097];
	struct fs *fs = t->fs;
	size_t kept;
	long n;

	if (fs->cwd && fs->generation == fs_generation && !fs->uncached)
		return (struct span){ fs->cwd, fs->cwd_n };
	n = read_link(t, "cwd", link, sizeof(link) - 1);
	if (n <= 0 || link[0] != '/')
		return (struct span){ "", 0 };
	kept = strip_deleted(t, "cwd", link, (size_t)n);
	fs->cwd_gone = kept != (size_t)n;
	link[kept] = '\0';
	free(fs->cwd);
	fs->cwd = strdup(link);
	fs->cwd_n = kept;
	fs->generation = fs_generation;
	return (struct span){ link, kept };
}

static void append(struct name *out, const char *p, size_t n)
{
	if (out->n + n + 1 < sizeof(out->text)) {
		memcpy(out->text + out->n, p, n);
		out->n += n;
	}
}

/* join() - @raw onto the canonical @out; never above its first @top bytes. */
static void join(struct name *out, size_t top, struct span raw)
{
	const char *at = raw.p, *end = raw.p + raw.n;
	bool canonical = true;

	out->slash = false;
	while (at < end) {
		const char *slash = memchr(at, '/', (size_t)(end - at));
		size_t n = (size_t)((slash ? slash : end) - at);

		out->slash = slash != NULL || (n == 1 && at[0] == '.');
		if (n == 2 && at[0] == '.' && at[1] == '.' && canonical) {
			while (out->n > top && out->text[out->n - 1] != '/')
				out->n--;
			if (out->n > top)
				out->n--;
		} else if (n > 0 && !(n == 1 && at[0] == '.')) {
			append(out, "/", 1);
			append(out, at, n);
			canonical = canonical && n == 2 && at[0] == '.' &&
				    at[1] == '.';
		}
		at += n + (slash ? 1 : 0);
	}
	if (out->n == 0)
		append(out, "/", 1);
}

static bool below(const char *p, size_t n, const char *dir)
{
	size_t m = strlen(dir);

	return n >= m && memcmp(p, dir, m) == 0 && (n == m || p[m] == '/');
}

/* /proc/self is another object for each reader: name the one meant. */
static void own_proc(struct task *t, struct name *out, size_t root_n)
{
	static char rest[PATH_ROOM];
	const char *at = out->text + root_n;
	size_t n = out->n - root_n, m;
	char mine[64];

	if (below(at, n, "/proc/self")) {
		m = 10;
		snprintf(mine, sizeof(mine), "/proc/%d", (int)task_tgid(t));
	} else if (below(at, n, "/proc/thread-self")) {
		m = 17;
		snprintf(mine, sizeof(mine), "/proc/%d/task/%d",
			 (int)task_tgid(t), (int)t->pid);
	} else {
		return;
	}
	memcpy(rest, at + m, n - m);
	out->n = root_n;
	append(out, mine, strlen(mine));
	append(out, rest, n - m);
}

static void describe(struct task *t, struct name *out, struct span root,
		     bool gone)
{
	const char *at = out->text + root.n;
	size_t n = out->n - root.n;

	if (out->n < root.n || memcmp(out->text, root.p, root.n) != 0) {
		/* A descriptor may name what lies outside the task's root. */
		at = out->text;
		n = out->n;
	} else if (n > 5 && memcmp(at, "/proc", 5) == 0) {
		own_proc(t, out, root.n);
		n = out->n - root.n;
	}
	out->text[out->n] = '\0';
	out->magic = below(at, n, "/proc") || below(at, n, "/dev") ||
		     below(at, n, "/sys");
	out->plain = root.n == 0 && !out->foreign && !gone;
}

static bool fd_link(const struct task *t, int fd, struct name *out, bool *gone)
{
	size_t known = dirs_known(t, fd, out->text, 4096);
	char which[24];
	long n;

	*gone = false;
	out->n = known == 1 ? 0 : known;
	if (known > 0)
		return true;
	snprintf(which, sizeof(which), "fd/%d", fd);
	n = read_link(t, which, out->text, 4096);
	if (n <= 0 || out->text[0] != '/')
		return false;
	out->n = strip_deleted(t, which, out->text, (size_t)n);
	*gone = out->n != (size_t)n;
	if (!*gone)
		dirs_keep(out->text, out->n);
	if (out->n == 1)
		out->n = 0;
	return true;
}

bool resolve(struct task *t, int dirfd, struct span raw, bool in_root,
	     struct name *out)
{
	struct span root = task_root(t, &out->foreign);
	bool gone = false;
	size_t top = root.n;
	struct span cwd;

	out->n = 0;
	if (raw.n > 0 && raw.p[0] == '/' && !in_root) {
		append(out, root.p, root.n);
	} else if (dirfd == AT_FDCWD) {
		cwd = task_cwd(t);
		if (cwd.n == 0)
			return false;
		gone = t->fs->cwd_gone;
		append(out, cwd.p, cwd.n == 1 ? 0 : cwd.n);
	} else if (!fd_link(t, dirfd, out, &gone)) {
		return false;
	}
	if (in_root)
		top = out->n;
	else if (out->n < top || memcmp(out->text, root.p, root.n) != 0)
		top = 0;
	join(out, top, raw);
	describe(t, out, root, gone);
	return true;
}

bool resolve_fd(struct task *t, int fd, struct name *out)
{
	struct span root = task_root(t, &out->foreign);
	bool gone;

	out->slash = false;
	if (!fd_link(t, fd, out, &gone) || below(out->text, out->n, "/memfd:"))
		return false;
	if (out->n == 0)
		append(out, "/", 1);
	describe(t, out, root, gone);
	return !gone || out->magic;
}

bool resolve_exe(const struct task *t, struct name *out)
{
	long n = read_link(t, "exe", out->text, 4096);

	out->n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

struct span name_span(const struct name *name)
{
	return (struct span){ name->text, name->n };
}
