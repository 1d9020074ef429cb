/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files, as a task means them, as paths. */
#ifndef TRANSHIP_TRACE_RESOLVE_H
#define TRANSHIP_TRACE_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"
#include "task.h"

#define PATH_ROOM (3 * 4096 + 64)

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

#endif
