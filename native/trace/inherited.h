/* SPDX-License-Identifier: Apache-2.0 */
/* What a traced command has open from its start. */
#ifndef TRANSHIP_TRACE_INHERITED_H
#define TRANSHIP_TRACE_INHERITED_H

#include <sys/types.h>

/* report_inherited() - what CMD will find open, from the tracer's own table,
 * but for the descriptor @but. */
void report_inherited(pid_t cmd, int but);

#endif
