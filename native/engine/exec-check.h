/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_EXEC_CHECK_H
#define TRANSHIP_ENGINE_EXEC_CHECK_H

#include "users.h"

/* exec_check() - whether @file can be started: 0, with who the process becomes in @b,
 * and whether it is a @script; -errno, or what program.h has beyond that. */
long exec_check(const char *file, struct becomes *b, bool *script);

#endif
