/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that leave the engine: excluded ones. */
#ifndef TRANSHIP_ENGINE_LEAVE_H
#define TRANSHIP_ENGINE_LEAVE_H

#include <stdbool.h>

/* leave_wanted() - whether the program @file is one. */
bool leave_wanted(const char *file);
/* leave_execute() - execve() of it outside: @given words at @argv. -errno. */
long leave_execute(const char *file, unsigned long argv, unsigned long envp,
		   long given);

#endif
