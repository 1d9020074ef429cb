/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_MEMORY_FILE_H
#define TRANSHIP_ENGINE_MEMORY_FILE_H

#include <stddef.h>

/* memory_file() - open() with @flags of a file with this text: a descriptor or
 * -errno. */
long memory_file(const char *name, const char *text, size_t n,
		 unsigned long flags);

/* memory_file_to_read() - @fd, at its beginning and not to be written any more, as
 * what it stands for; close-on-exec by @flags. */
long memory_file_to_read(long fd, unsigned long flags);

#endif
