/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_READ_H
#define TRANSHIP_SUPERVISE_READ_H

#include <stdbool.h>
#include <sys/types.h>

/* read_small() - the beginning of a file, at most @size - 1 bytes, ended by
 * NUL. Return: its length, or -1. */
ssize_t read_small(const char *path, char *buf, size_t size);

/* read_whole() - a file of at most @limit bytes, ended by NUL; the caller's to
 * free. Fails in words. */
char *read_whole(const char *file, size_t limit, size_t *size);

/* start_time() - of a process, in clock ticks since boot, as text; false for
 * what does not run. */
bool start_time(int pid, char *buf, size_t size);

#endif
