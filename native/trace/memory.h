/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a task's memory. */
#ifndef TRANSHIP_TRACE_MEMORY_H
#define TRANSHIP_TRACE_MEMORY_H

#include "task.h"

#define STRING_MAX 4096

/* memory_read() - all @n bytes, or false. */
bool memory_read(const struct task *t, uint64_t addr, void *p, size_t n);
/* memory_string() - length, -1 where unreadable, -2 where @max is reached
 * without a NUL (@buf then holds @max bytes). */
long memory_string(const struct task *t, uint64_t addr, char *buf, size_t max);

#endif
