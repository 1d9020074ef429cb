/* SPDX-License-Identifier: Apache-2.0 */
/* What is at a path: as the tracer finds it itself, without the task. */
#ifndef TRANSHIP_TRACE_LOOK_H
#define TRANSHIP_TRACE_LOOK_H

#include <sys/stat.h>

#include "resolve.h"

/* lookups_off: the tracer must not touch paths: a task may have to answer. */
extern bool lookups_off;
/* lookup() - 0 or a negative errno as the tracer itself finds it now. */
int lookup(const struct name *name, bool nofollow, struct stat *st);
/* may() - 0 or a negative errno: whether what @mode says (R_OK, W_OK) is
 * allowed; by the file system's ids of the tracer, see rights.c. */
int may(const struct name *name, int mode, bool nofollow);
/* look() - lookup() in @t's own root, also where that is not the tracer's; a
 * positive value where that cannot be asked. */
int look(const struct task *t, const struct name *name, bool nofollow,
	 struct stat *st);
/* existed() - as look(); true where it cannot be asked. */
bool existed(const struct task *t, const struct name *name, bool nofollow);
bool fd_is_directory(const struct task *t, int fd);

#endif
