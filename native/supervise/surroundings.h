/* SPDX-License-Identifier: Apache-2.0 */
/* What a command has around it that no runtime gives it: see struct config. */
#ifndef TRANSHIP_SUPERVISE_SURROUNDINGS_H
#define TRANSHIP_SUPERVISE_SURROUNDINGS_H

#include <sys/types.h>

#include "options.h"

/* surroundings() - directory, environment and user of this process, as far as
 * @c names them, and that it dies with @parent. Fails in words. */
void surroundings(const struct config *c, pid_t parent);

#endif
