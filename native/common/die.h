/* SPDX-License-Identifier: Apache-2.0 */
/* Dying in words, and scope-bound clean-up; for programs, never for libraries. */
#ifndef TRANSHIP_DIE_H
#define TRANSHIP_DIE_H

/* Set first thing in main(); opens each message. */
extern const char *program_name;

/* die() - message to stderr, exit 125. die_errno() adds strerror(errno). */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
__attribute__((noreturn, format(printf, 1, 2))) void die_errno(const char *fmt, ...);

void cleanup_free_at(void *p);
void cleanup_fd_at(const int *fd);
#define cleanup_free __attribute__((cleanup(cleanup_free_at)))
#define cleanup_fd __attribute__((cleanup(cleanup_fd_at)))

#endif
