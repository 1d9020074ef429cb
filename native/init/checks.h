/* SPDX-License-Identifier: Apache-2.0 */
/* What must be there before a program of the package starts. */
#ifndef TRANSHIP_INIT_CHECKS_H
#define TRANSHIP_INIT_CHECKS_H

#include <stdbool.h>

#include "plan.h"

/* make_directories() - those that are missing, with missing parents */
bool make_directories(const struct plan *plan);
/* check_volumes(), check_secrets() - say which are missing and list them in
 * @reason, for the exit record; Return: whether none is */
bool check_volumes(const struct plan *plan, char *reason, size_t size);
bool check_secrets(const struct plan *plan, char *reason, size_t size);

#endif
