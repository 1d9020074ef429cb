/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When schedules are due.
 *
 * Theory: time is counted in local minutes (minutes since the epoch plus the
 * offset from UTC), so that a daylight saving shift and a stepped clock are
 * the same thing: the local clock jumps. An entry with a fixed time of day
 * (neither minute nor hour begins with '*') is due once for each local minute
 * that passes, also those jumped over, and not again when the clock runs
 * through them a second time. Other entries are due by the wall clock as it
 * is; what was missed while init could not look (at most five minutes) is made
 * up for once. A jump of more than three hours is a corrected clock, not time
 * that passed: nothing is made up for, and nothing is held back.
 */
#ifndef TRANSHIP_INIT_SCHEDULE_H
#define TRANSHIP_INIT_SCHEDULE_H

#include <stdbool.h>

#include "plan.h"

struct cron_clock {
	long long high;		/* latest local minute that was dealt with */
	long long last;		/* the one looked at last */
};

/* cron_matches() - whether the local minute is one of @c */
bool cron_matches(const struct cron *c, long long local_minute);
/* cron_due() - whether @c is to run at @now, asked once per minute */
bool cron_due(const struct cron *c, const struct cron_clock *clock,
	      long long now);
/* cron_advance() - after all entries were asked */
void cron_advance(struct cron_clock *clock, long long now);
/* local_minute() - of the wall clock, in the zone of TZ or /etc/localtime */
long long local_minute(long long seconds);

#endif
