/* SPDX-License-Identifier: Apache-2.0 */
/* What init itself says. */
#ifndef TRANSHIP_INIT_TALK_H
#define TRANSHIP_INIT_TALK_H

/* say() - a line of service "init" in the log, and on stderr where that is
 * where output goes; debug() only with TRANSHIP_DEBUG=1, on stderr alone. */
__attribute__((format(printf, 1, 2))) void say(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void debug(const char *fmt, ...);

/* complain() - as say(), but always on stderr too: why the instance ends. */
__attribute__((format(printf, 1, 2))) void complain(const char *fmt, ...);

#endif
