/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at files with the rights of a task that has less than the tracer. */
#ifndef TRANSHIP_TRACE_RIGHTS_H
#define TRANSHIP_TRACE_RIGHTS_H

#include <stdbool.h>

#include "task.h"

/* rights_borrow() - until rights_return() the tracer finds of files what @t
 * does; false where that cannot be had: then there is nothing to return. */
bool rights_borrow(struct task *t);
/* rights_return() - false: the kernel had refused them. */
bool rights_return(void);
/* rights_forget() - @t may have other rights from now on. */
void rights_forget(struct task *t);

#endif
