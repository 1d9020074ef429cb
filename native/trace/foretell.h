/* SPDX-License-Identifier: Apache-2.0 */
/* What a call will find: looked up by the tracer in place of a stop at its exit. */
#ifndef TRANSHIP_TRACE_FORETELL_H
#define TRANSHIP_TRACE_FORETELL_H

#include <stdbool.h>

#include "record.h"
#include "task.h"

/* foretell() - of a call on first_name that changes nothing: true where the
 * record is written already. */
bool foretell(struct task *t, struct path_record *r, struct seen_key key);
/* foretell_change() - of a call that changes what is there: that it finds
 * nothing, or that it opens a file for writing. Else @r is told whether there
 * was something. */
bool foretell_change(struct task *t, struct path_record *r,
		     struct seen_key key);

#endif
