/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a task's memory and links; names of files as paths. */
#ifndef TRANSHIP_TRACE_RESOLVE_H
#define TRANSHIP_TRACE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "record.h"
#include "task.h"

#define STRING_MAX 4096
#define PATH_ROOM (3 * 4096 + 64)

/* memory_read() - all @n bytes, or false. */
bool memory_read(const struct task *t, uint64_t addr, void *p, size_t n);
/* memory_string() - length, -1 where unreadable, -2 where @max is reached
 * without a NUL (@buf then holds @max bytes). */
long memory_string(const struct task *t, uint64_t addr, char *buf, size_t max);

struct name {
	char text[PATH_ROOM];
	size_t n;
	bool slash;	/* ended in a slash: a directory, links followed */
	bool plain;	/* the tracer can look it up under the same name */
	bool foreign;
	bool magic;	/* below /proc, /dev or /sys */
};

pid_t task_tgid(struct task *t);
/* resolve() - @raw as @t means it relative to @dirfd (AT_FDCWD, a
 * descriptor); @in_root as RESOLVE_IN_ROOT. False: no path is known. */
bool resolve(struct task *t, int dirfd, struct span raw, bool in_root,
	     struct name *out);
/* resolve_fd() - the name behind a descriptor; false where it has none. */
bool resolve_fd(struct task *t, int fd, struct name *out);
bool resolve_exe(const struct task *t, struct name *out);
struct span name_span(const struct name *name);
struct span task_cwd(struct task *t);
struct span task_root(struct task *t, bool *foreign);

/* lookups_off: the tracer must not touch paths: a task may have to answer. */
extern bool lookups_off;
/* lookup() - 0 or a negative errno as the tracer itself finds it now. */
int lookup(const struct name *name, bool nofollow, struct stat *st);
/* look() - lookup() in @t's own root, also where that is not the tracer's; a
 * positive value where that cannot be asked. */
int look(const struct task *t, const struct name *name, bool nofollow,
	 struct stat *st);
/* existed() - as look(); true where it cannot be asked. */
bool existed(const struct task *t, const struct name *name, bool nofollow);
bool fd_is_directory(const struct task *t, int fd);

#endif
