/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of the log: whole lines, one JSON object each, and files of before
 * beside it. It never loses a line but to a failing disk; such lines are
 * counted, and that is said in it when it works again.
 */
#ifndef TRANSHIP_INIT_LOG_FILE_H
#define TRANSHIP_INIT_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "plan.h"

/* log_file_open() - false where its directory does not exist */
bool log_file_open(const struct plan *plan);
bool log_file_is_open(void);
/* log_file_wanted() - there is one, or there was before the disk failed */
bool log_file_wanted(void);
/* log_file_add() - one line, or a piece of one, to go with the next flush */
void log_file_add(const char *service, int stream, const char *line, size_t n);
void log_file_flush(void);

#endif
