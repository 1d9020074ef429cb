/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsyscall page: three calls at fixed addresses, used by C libraries up to
 * about 2012. Kernels are built or booted without it; a program that jumps
 * there then faults, and the fault becomes the call. Replicates
 * emulate_vsyscall() of arch/x86/entry/vsyscall.
 */
#ifndef TRANSHIP_ENGINE_VSYSCALL_H
#define TRANSHIP_ENGINE_VSYSCALL_H

#define VSYSCALL_PAGE 0xffffffffff600000UL

/* vsyscall_number() - the call that a jump to @address means, or -1. */
static inline long vsyscall_number(unsigned long address)
{
	switch (address) {
	case VSYSCALL_PAGE:
		return 96;	/* gettimeofday */
	case VSYSCALL_PAGE + 0x400:
		return 201;	/* time */
	case VSYSCALL_PAGE + 0x800:
		return 309;	/* getcpu */
	default:
		return -1;
	}
}

#endif
