/* SPDX-License-Identifier: Apache-2.0 */
/* Names of directories behind descriptors, kept. */
#ifndef TRANSHIP_TRACE_DIRS_H
#define TRANSHIP_TRACE_DIRS_H

#include "task.h"

/* dirs_known() - copies the path that was kept for the directory behind @fd
 * of @t to @buf; its length, 0 where none is. */
size_t dirs_known(const struct task *t, int fd, char *buf, size_t room);
/* dirs_keep() - that the directory which dirs_known() has last looked for has
 * the name @path. */
void dirs_keep(const char *path, size_t n);
/* dirs_gone() - @pid has ended. */
void dirs_gone(pid_t pid);

#endif
