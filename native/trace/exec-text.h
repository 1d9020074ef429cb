/* SPDX-License-Identifier: Apache-2.0 */
/* What the record of an exec says after its result, in its order: path,
 * arguments, working directory. It is put together before the call is made. */
#ifndef TRANSHIP_TRACE_EXEC_TEXT_H
#define TRANSHIP_TRACE_EXEC_TEXT_H

#include "record.h"

#define EXEC_ARGS_MAX 64

void exec_text_begin(struct span path);
void exec_text_arg(struct span arg);
/* exec_text_end() - Return: all of it, good until the next one begins. */
struct span exec_text_end(struct span cwd);
/* exec_text_path() - the path in what exec_text_end() gave. */
struct span exec_text_path(struct span kept);

#endif
