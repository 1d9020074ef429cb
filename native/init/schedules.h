/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a package that run by the clock; schedule.h has its rules. */
#ifndef TRANSHIP_INIT_SCHEDULES_H
#define TRANSHIP_INIT_SCHEDULES_H

#include <sys/types.h>

#include "plan.h"

void schedules_init(const struct plan *plan);
/* schedules_step() - starts what is due; for the first time when everything
 * has started, and then once a minute is enough */
void schedules_step(long long now);
/* schedules_next() - when to step again, monotonic; 0: not begun yet */
long long schedules_next(void);
/* schedules_reaped() - @pid, which may be one of theirs, has ended */
void schedules_reaped(pid_t pid, int status);
/* schedules_stop() - all that run are asked to end */
void schedules_stop(void);

#endif
