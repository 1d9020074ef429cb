/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that name what is not there wait until another has looked for it. */
#ifndef TRANSHIP_TRACE_ASK_H
#define TRANSHIP_TRACE_ASK_H

#include "record.h"
#include "task.h"

/* ask_connect() - to the socket at @path; asked is on behalf of what comes
 * after @program was executed in another mount namespace. Where nobody
 * listens, that is said, and nothing is asked. */
void ask_connect(const char *path, const char *program);
/* ask_executed() - @t runs the program @path from now on. */
void ask_executed(const struct task *t, struct span path);
/* ask_enter() - at the entry of a call: true where @t has to wait. */
bool ask_enter(struct task *t);
/* ask_exit() - as above at the end of a call, which came to @result. */
bool ask_exit(struct task *t, int32_t result);

#endif
