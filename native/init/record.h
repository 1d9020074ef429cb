/* SPDX-License-Identifier: Apache-2.0 */
/* What init leaves in its run directory: state.json while it runs, exit.json at
 * the end. Both are replaced as a whole; nothing happens where the directory
 * is missing or cannot be written. */
#ifndef TRANSHIP_INIT_RECORD_H
#define TRANSHIP_INIT_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#define RUN_DIRECTORY "/.tranship/run"
#define RUN_PATH_MAX 256

/**
 * run_directory() - Another directory than RUN_DIRECTORY, at the beginning
 * Returns false where the name is too long or not absolute.
 */
bool run_directory(const char *directory);
/* run_path() - a file of the run directory; @out holds RUN_PATH_MAX bytes */
const char *run_path(char *out, const char *name);

/* record_time() - now, RFC 3339 in UTC with nanoseconds */
void record_time(char *out, size_t size);
/* record_start() - notes the time, removes the records of an earlier run */
void record_start(void);

/* record_file() - replaces a file of the run directory */
void record_file(const char *name, const char *content, size_t size);

struct service;

/* record_state() - @services may be NULL where @count is 0 */
void record_state(const struct service *services, size_t count, bool ready);
/* record_ready() - what record_state() said last; true where nothing is kept,
 * as nobody can know there */
bool record_ready(void);
/**
 * record_exit() - The last word of the instance
 * @signal:	0 where no signal ended it
 */
void record_exit(int status, int signal, const char *reason,
		 const struct service *services, size_t count);

#endif
