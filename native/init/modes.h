/* SPDX-License-Identifier: Apache-2.0 */
/* The two ways to run: one command, or all services. Both end by returning
 * the exit status of the instance, its record written. */
#ifndef TRANSHIP_INIT_MODES_H
#define TRANSHIP_INIT_MODES_H

#include "plan.h"

/**
 * run_single() - One command, with all signals passed on
 * @program:	NULL for a bare command
 * @command:	The words to run, in full
 */
int run_single(const struct plan *plan, const struct program *program,
	       const struct strings *command);
int run_services(const struct plan *plan);

/* end_early() - 125 with its record; the reason was already said */
int end_early(const char *reason);

#endif
