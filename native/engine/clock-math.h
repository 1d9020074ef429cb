/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application's wall clock as a function of the kernel's: pure, and the
 * same code in the engine and in the vDSO. Nanoseconds since 1970 in 64 bits
 * reach from 1677 to 2262.
 */
#ifndef TRANSHIP_ENGINE_CLOCK_MATH_H
#define TRANSHIP_ENGINE_CLOCK_MATH_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S 1000000000LL
#define RATE_ONE (1ULL << 32)
#define RATE_END 1024	/* no clock is that fast */

/* app = app_base + (kernel - kernel_base) * rate / 2^32 */
struct app_clock {
	int64_t kernel_base;	/* ns */
	int64_t app_base;	/* ns */
	uint64_t rate;		/* 2^32 = as fast as the kernel's; 0 = frozen */
};

static inline int64_t clock_clamp(__int128 ns)
{
	if (ns > INT64_MAX)
		return INT64_MAX;
	return ns < INT64_MIN ? INT64_MIN : (int64_t)ns;
}

static inline int64_t clock_to_app(const struct app_clock *c, int64_t kernel)
{
	__int128 passed = (__int128)kernel - c->kernel_base;

	if (c->rate != RATE_ONE)
		passed = (passed * (__int128)c->rate) >> 32;
	return clock_clamp(c->app_base + passed);
}

/* left * 2^32 / rate, rounded down, for less than 2^64 of it; the processor's
 * own division, as there is no library for a longer one. */
static inline uint64_t clock_unscale(uint64_t left, uint64_t rate)
{
	uint64_t high = left >> 32, low = left << 32, quotient, rest;

	if (high >= rate)
		return UINT64_MAX;
	__asm__("divq %4" : "=a"(quotient), "=d"(rest)
		: "0"(low), "1"(high), "r"(rate) : "cc");
	return quotient;
}

/* When the application's clock shows @app, or the moment before: the far
 * future where it never will, the far past where it always did. */
static inline int64_t clock_to_kernel(const struct app_clock *c, int64_t app)
{
	__int128 left = (__int128)app - c->app_base;
	bool before = left < 0;

	if (c->rate == 0)
		return left > 0 ? INT64_MAX : INT64_MIN;
	if (c->rate == RATE_ONE)
		return clock_clamp(c->kernel_base + left);
	left = clock_unscale((uint64_t)(before ? -left : left), c->rate);
	return clock_clamp(c->kernel_base + (before ? -left : left));
}

/* Also for fields out of their range, as only kernel and program fill them. */
static inline int64_t clock_join(int64_t s, int64_t ns)
{
	return clock_clamp((__int128)s * NS_PER_S + ns);
}

static inline void clock_split(int64_t whole, int64_t *s, int64_t *ns)
{
	*s = whole / NS_PER_S;
	*ns = whole % NS_PER_S;
	if (*ns < 0) {
		*ns += NS_PER_S;
		--*s;
	}
}

#endif
