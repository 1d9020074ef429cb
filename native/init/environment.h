/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a process, before it is started. */
#ifndef TRANSHIP_INIT_ENVIRONMENT_H
#define TRANSHIP_INIT_ENVIRONMENT_H

#include <stddef.h>

#include "plan.h"
#include "users.h"

/* Where programs are looked for when nothing says it. */
#define DEFAULT_PATH \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct environment {
	char **list;		/* NULL-terminated */
	size_t count, size;
};

/* environment_get() - a value in @list, which ends with NULL; or NULL */
const char *environment_get(char *const *list, const char *name);
/* environment_set() - replaces or adds */
void environment_set(struct environment *e, const char *name,
		     const char *value);

/**
 * environment_build() - What a program sees
 * @program:	NULL for a bare command
 * @user:	NULL where the user stays the same
 *
 * Weakest first: descriptor, container (docker's -e), program. Names that
 * begin with TRANSHIP_ speak to init and are left out. HOME, USER and LOGNAME
 * follow @user unless the plan sets them: the container's are those of init's
 * own user.
 */
void environment_build(struct environment *e, const struct plan *plan,
		       const struct program *program,
		       const struct user *user);
void environment_free(struct environment *e);

#endif
