/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_WAITER_H
#define TRANSHIP_SUPERVISE_WAITER_H

#include <stdbool.h>

/* waiter_alive() - whether the process that @file names, by its pid and the
 * time of its start, lives. */
bool waiter_alive(const char *file);

/* start_waiter() - starts @argv in a session of its own, with nothing of ours,
 * and lets @file name it. Return: whether that worked. */
bool start_waiter(const char *file, char *const *argv);

#endif
