/* SPDX-License-Identifier: Apache-2.0 */
/* The application's own vDSO: calls that never become system calls. */
#ifndef TRANSHIP_ENGINE_VDSO_H
#define TRANSHIP_ENGINE_VDSO_H

#include <stdint.h>

#include <linux/time.h>

#include "at-hand.h"
#include "clock-page.h"

/* By number. */
#define CLOCKS_KNOWN 0x8f3UL	/* real, monotonic, raw, coarse, boot, tai */
#define CLOCKS_WALL 0x821UL	/* real, real coarse, tai */

/* Shared by the engine and the vDSO's code, in a page of its own behind it. */
struct vdso_data {
	long (*clock_gettime)(long id, void *ts);	/* of the kernel's vDSO */
	long (*getcpu)(void *cpu, void *node, void *unused);
	long (*clock_getres)(long id, void *ts);
	long (*getrandom)(void *to, uint64_t n, unsigned int flags, void *state,
			  uint64_t size);
	unsigned long told;	/* clocks that the kernel's vDSO tells */
	unsigned long changed;	/* those that are the application's */
	const struct clock_page *page;
};

/* vdso_start() - maps it; @kernel is the kernel's own (0 = none). Returns what
 * AT_SYSINFO_EHDR shall say; 0 = this host lets us have none. */
unsigned long vdso_start(unsigned long kernel);
/* vdso_is_kernels() - whether @address lies in the kernel's own vDSO: what a
 * call from there returns, ours will translate. */
int vdso_is_kernels(unsigned long address);

/* vdso_coarse() - the kernel's monotonic clock of a few ms, in ns; vdso_asked() -
 * where its vDSO tells none. */
COLD int64_t vdso_asked(void);
/* vdso_none() - in place of it. */
long vdso_none(long id, void *ts);
static inline int64_t vdso_coarse(void)
{
	struct timespec ts;

	if (HARDLY(at_hand.kernel_clock(CLOCK_MONOTONIC_COARSE, &ts) != 0))
		return vdso_asked();
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

#endif
