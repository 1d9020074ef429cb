/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_MEMORY_FILE_H
#define TRANSHIP_ENGINE_MEMORY_FILE_H

#include <stddef.h>

/* memory_file() - open() with @flags of a file with this text: a descriptor or
 * -errno. */
long memory_file(const char *name, const char *text, size_t n,
		 unsigned long flags);

#endif
