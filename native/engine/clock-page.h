/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application's clock as it is now. Where it may be changed while programs
 * run it is a page of a file, which the engine and its vDSO read and `tranship
 * update` writes (src/runtime/inprocess/clock-page.ts). A change fills the place
 * that is not in force, and then `which` turns to it: a writer that is killed
 * leaves nobody waiting.
 */
#ifndef TRANSHIP_ENGINE_CLOCK_PAGE_H
#define TRANSHIP_ENGINE_CLOCK_PAGE_H

#include "clock-math.h"

#define CLOCK_PAGE_MAGIC 0x314b4c4350525441ULL	/* "ATRPCLK1" */

struct clock_now {
	struct app_clock clock;
	int64_t offset_s, offset_ns;	/* at the usual rate: to be added */
};

struct clock_page {
	uint64_t magic;
	uint32_t which, spare;	/* counts changes; even: the first is in force */
	struct clock_now now[2];
};

static inline struct clock_now clock_page_read(const struct clock_page *p)
{
	struct clock_now now;
	uint32_t which;

	do {
		which = __atomic_load_n(&p->which, __ATOMIC_ACQUIRE);
		now = p->now[which & 1];
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (which != __atomic_load_n(&p->which, __ATOMIC_RELAXED));
	return now;
}

/* clock_page_offset() - what is to be added at the usual rate; false at another. */
static inline bool clock_page_offset(const struct clock_page *p, int64_t *s,
				     int64_t *ns)
{
	uint64_t rate;
	uint32_t which;

	do {
		which = __atomic_load_n(&p->which, __ATOMIC_ACQUIRE);
		rate = p->now[which & 1].clock.rate;
		*s = p->now[which & 1].offset_s;
		*ns = p->now[which & 1].offset_ns;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (which != __atomic_load_n(&p->which, __ATOMIC_RELAXED));
	return rate == RATE_ONE;
}

/* clock_page_open() - maps the page of @file, to be read; NULL where it has
 * none. */
const struct clock_page *clock_page_open(const char *file);
/* clock_page_of() - a page of our own, of a clock that nobody changes. */
const struct clock_page *clock_page_of(const struct app_clock *c);

#endif
