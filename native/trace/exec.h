/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that are executed, with their arguments. */
#ifndef TRANSHIP_TRACE_EXEC_H
#define TRANSHIP_TRACE_EXEC_H

#include "enter.h"

/* enter_exec() - as call_enter(); call_executed() tells how it went. */
bool enter_exec(struct task *t, const struct call *c, const struct entry *e);

#endif
