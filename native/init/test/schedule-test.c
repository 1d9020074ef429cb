// SPDX-License-Identifier: Apache-2.0
/* TAP: the calendar against the C library's, and clocks that jump. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../schedule.h"

#define ALL_MINUTES ((1ULL << 60) - 1)
#define ALL_HOURS ((1U << 24) - 1)
#define ALL_DAYS 0xfffffffeU
#define ALL_MONTHS 0x1ffe
#define ALL_WEEKDAYS 0x7f

static int number, failures;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++number, what);
	failures += !good;
}

static const struct cron daily_2_30 = { 1ULL << 30, 1U << 2, ALL_DAYS,
	ALL_MONTHS, ALL_WEEKDAYS, CRON_ANY_DAY | CRON_ANY_WEEKDAY |
	CRON_FIXED };
static const struct cron each_minute = { ALL_MINUTES, ALL_HOURS, ALL_DAYS,
	ALL_MONTHS, ALL_WEEKDAYS, CRON_ANY_DAY | CRON_ANY_WEEKDAY };
static const struct cron hourly = { 1, ALL_HOURS, ALL_DAYS, ALL_MONTHS,
	ALL_WEEKDAYS, CRON_ANY_DAY | CRON_ANY_WEEKDAY };

/* Every 7 hours and 11 minutes over 1890 to 2150, all fields at once. */
static void test_calendar(void)
{
	long long minute = -80LL * 366 * 1440, last = 180LL * 366 * 1440;
	long tried = 0, wrong = 0;

	for (; minute < last; minute += 431, tried++) {
		time_t t = (time_t)(minute * 60);
		struct cron c = { .flags = CRON_ANY_DAY };
		struct tm tm;

		gmtime_r(&t, &tm);
		c.minutes = 1ULL << tm.tm_min;
		c.hours = 1U << tm.tm_hour;
		c.days = 1U << tm.tm_mday;
		c.months = (uint16_t)(1U << (tm.tm_mon + 1));
		c.weekdays = (uint8_t)(1U << tm.tm_wday);
		wrong += !cron_matches(&c, minute) ||
			cron_matches(&c, minute + 1) ||
			cron_matches(&c, minute + 1440);
	}
	printf("# %ld minutes\n", tried);
	ok(tried > 100000 && wrong == 0, "the calendar is the C library's");
}

static long long utc(int year, int month, int day, int hour, int minute)
{
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1,
			 .tm_mday = day, .tm_hour = hour, .tm_min = minute };

	return timegm(&tm);
}

static void test_days(void)
{
	struct cron c = daily_2_30;
	long long friday = utc(2026, 2, 13, 2, 30) / 60;
	long long other = utc(2026, 2, 12, 2, 30) / 60;
	long long thirteenth = utc(2026, 1, 13, 2, 30) / 60;

	c.days = 1U << 13;
	c.weekdays = 1U << 5;
	c.flags = CRON_FIXED;
	ok(cron_matches(&c, friday) && !cron_matches(&c, other) &&
	   cron_matches(&c, thirteenth),
	   "day and weekday both restricted: one suffices");
	c.flags = CRON_FIXED | CRON_ANY_WEEKDAY;
	c.weekdays = ALL_WEEKDAYS;
	ok(cron_matches(&c, thirteenth) && !cron_matches(&c, other),
	   "day restricted alone");
	c.flags = CRON_FIXED | CRON_ANY_DAY;
	c.weekdays = 1U << 5;
	c.days = ALL_DAYS;
	ok(cron_matches(&c, friday) && !cron_matches(&c, thirteenth),
	   "weekday restricted alone");
}

/* Runs of @c while the wall clock goes from @from to @to in steps. */
static int runs(const struct cron *c, long long from, long long to)
{
	struct cron_clock clock = { local_minute(from), local_minute(from) };
	long long t;
	int count = 0;

	for (t = from + 60; t <= to; t += 60) {
		long long now = local_minute(t);

		count += cron_due(c, &clock, now);
		cron_advance(&clock, now);
	}
	return count;
}

static void test_daylight(void)
{
	long long spring, autumn;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	spring = utc(2026, 3, 28, 23, 0);
	autumn = utc(2026, 10, 24, 22, 0);
	ok(local_minute(spring) - spring / 60 == 60 &&
	   local_minute(autumn) - autumn / 60 == 120, "the zone of TZ");
	ok(runs(&daily_2_30, spring, spring + 12 * 3600) == 1,
	   "02:30 does not exist in spring: once all the same");
	ok(runs(&daily_2_30, autumn, autumn + 12 * 3600) == 1,
	   "02:30 exists twice in autumn: once all the same");
	ok(runs(&hourly, spring, spring + 12 * 3600) == 12 &&
	   runs(&hourly, autumn, autumn + 12 * 3600) == 12,
	   "an hourly entry runs every real hour");
	ok(runs(&each_minute, autumn, autumn + 12 * 3600) == 720,
	   "an entry for each minute runs each real minute");
}

/* One look after the clock went from @before to @after. */
static bool after_jump(const struct cron *c, long long before,
		       long long after)
{
	struct cron_clock clock = { before, before };

	return cron_due(c, &clock, after);
}

static void test_jumps(void)
{
	long long due = utc(2026, 6, 1, 2, 30) / 60;
	struct cron_clock clock = { due, due };

	ok(after_jump(&daily_2_30, due - 1, due) &&
	   !after_jump(&daily_2_30, due, due + 1), "on time, and once");
	ok(after_jump(&daily_2_30, due - 90, due + 90) &&
	   !after_jump(&daily_2_30, due - 91, due + 90),
	   "three hours forward are made up for, more are not");
	ok(!after_jump(&daily_2_30, due + 180, due) &&
	   after_jump(&daily_2_30, due + 181, due),
	   "three hours back are not run again, more are");
	ok(after_jump(&hourly, due + 29, due + 32) &&
	   !after_jump(&hourly, due + 29, due + 40),
	   "an hourly entry is made up for within five minutes");
	cron_advance(&clock, due - 60);
	ok(clock.high == due && clock.last == due - 60 &&
	   !cron_due(&daily_2_30, &clock, due), "held back until caught up");
	cron_advance(&clock, due - 600);
	ok(cron_due(&daily_2_30, &clock, due - 600) == false &&
	   clock.high == due - 600, "a corrected clock starts anew");
}

int main(void)
{
	test_calendar();
	test_days();
	test_daylight();
	test_jumps();
	printf("1..%d\n", number);
	return failures != 0;
}
