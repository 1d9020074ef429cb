// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include "schedule.h"

#define MADE_UP_FIXED 180
#define MADE_UP_OTHER 5
#define MINUTES_OF_DAY 1440

static long long floor_div(long long a, long long b)
{
	return a / b - (a % b < 0);
}

/* Day of the month and month of a day counted from 1970-01-01: the calendar
 * repeats every 400 years of 146097 days; years begin in March here. */
static void civil(long long days, int *day, int *month)
{
	long long shifted = days + 719468;
	long long in_era = shifted - floor_div(shifted, 146097) * 146097;
	long long year = (in_era - in_era / 1460 + in_era / 36524 -
			  in_era / 146096) / 365;
	long long in_year = in_era - (365 * year + year / 4 - year / 100);
	long long m = (5 * in_year + 2) / 153;

	*day = (int)(in_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
}

bool cron_matches(const struct cron *c, long long minute)
{
	long long days = floor_div(minute, MINUTES_OF_DAY);
	int in_day = (int)(minute - days * MINUTES_OF_DAY);
	int weekday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
	bool by_day, by_weekday;
	int day, month;

	civil(days, &day, &month);
	if (!(c->minutes >> (in_day % 60) & 1) ||
	    !(c->hours >> (in_day / 60) & 1) || !(c->months >> month & 1))
		return false;
	by_day = c->days >> day & 1;
	by_weekday = c->weekdays >> weekday & 1;
	/* Both restricted: one suffices. */
	if (!(c->flags & (CRON_ANY_DAY | CRON_ANY_WEEKDAY)))
		return by_day || by_weekday;
	return by_day && by_weekday;
}

bool cron_due(const struct cron *c, const struct cron_clock *clock,
	      long long now)
{
	long long from = clock->last, most = MADE_UP_OTHER, minute;

	if (c->flags & CRON_FIXED) {
		from = clock->high;
		most = MADE_UP_FIXED;
		if (now <= from && from - now <= MADE_UP_FIXED)
			return false;
	}
	if (now - from > most || now <= from)
		from = now - 1;
	for (minute = from + 1; minute <= now; minute++)
		if (cron_matches(c, minute))
			return true;
	return false;
}

void cron_advance(struct cron_clock *clock, long long now)
{
	if (now > clock->high || clock->high - now > MADE_UP_FIXED)
		clock->high = now;
	clock->last = now;
}

long long local_minute(long long seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return floor_div(seconds, 60);
	return floor_div(seconds + tm.tm_gmtoff, 60);
}
