/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of refused calls: a JSON object a line. A call that the same program
 * makes again and again is told the first ten times and then at each power of
 * two, with its count; the file does not grow beyond LOG_MAX.
 */
#ifndef TRANSHIP_REFUSALS_TELL_H
#define TRANSHIP_REFUSALS_TELL_H

#include <linux/seccomp.h>

#define EXE_MAX 1024

/* tell_open() - dies where @path cannot be written; @id: the instance. */
void tell_open(const char *path, const char *id);
/* tell() - that @exe, "" where it has gone, was refused @n; at most EXE_MAX
 * bytes of it. */
void tell(const struct seccomp_notif *n, const char *exe);

#endif
