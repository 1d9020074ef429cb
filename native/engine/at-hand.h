/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nearly every call asks, in one line of the processor's cache: the kernel's
 * own code takes them all for itself at each call, so what a hook costs is mostly
 * the number of lines that it touches.
 */
#ifndef TRANSHIP_ENGINE_AT_HAND_H
#define TRANSHIP_ENGINE_AT_HAND_H

#include <stdbool.h>
#include <stdint.h>

/* Of functions that are used by many calls: they lie side by side, behind the gate,
 * and each begins a line. A line of code costs more than one of data: nothing goes on
 * while it is fetched. */
#define HOT __attribute__((section(".text.hot"), aligned(64)))
#define MOSTLY(x) __builtin_expect(!!(x), 1)
#define HARDLY(x) __builtin_expect(!!(x), 0)
/* Of functions that are inlined nowhere, so that what calls them stays short. */
#define COLD __attribute__((noinline, cold))

struct at_hand {
	const uint32_t *rules_changes;	/* see rules.h */
	long (*kernel_clock)(long id, void *ts);	/* see vdso.h */
	unsigned int walk_changed;	/* see walk.h */
	uint32_t never;		/* where nobody changes rules */
	bool places_are_kept;	/* see places.h */
} __attribute__((aligned(64)));

extern struct at_hand at_hand;

#endif
