/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of the set-up, for people on stderr and for programs on the
 * status descriptor, one JSON object a line:
 *
 *   {"pid":N,"overlay":"fsconfig"|"mount"|null}   ready to execute
 *   {"error":"...","errno":N}                     the set-up failed
 *
 * An error may follow the pid where the command itself cannot be executed;
 * the descriptor is closed by a successful exec. Bytes that are not ASCII are
 * written as \u00XX, one for each byte.
 */
#ifndef TRANSHIP_ENTER_REPORT_H
#define TRANSHIP_ENTER_REPORT_H

#include <stdbool.h>
#include <sys/types.h>

#define EXIT_SETUP 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127

/* -1 when nobody asked. */
extern int status_fd;
/* What goes wrong matters to nobody yet: fail() says nothing. */
extern bool fail_silently;
/* Which way the last overlay was mounted. */
enum overlay_api { OVERLAY_NONE, OVERLAY_FSCONFIG, OVERLAY_MOUNT };
extern enum overlay_api overlay_api;

/* fail() - say it, report it with errno 0 and exit 125; fail_errno() adds the
 * reason and its number. */
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2)))
void fail_errno(const char *fmt, ...);

/* fail_exec() - the command could not be executed, for the reason in errno:
 * exit 127 where it is not there, else 126. */
__attribute__((noreturn)) void fail_exec(const char *command);

void report_pid(pid_t pid);

#endif
