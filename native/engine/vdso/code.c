// SPDX-License-Identifier: Apache-2.0
/*
 * The application's vDSO. It asks the kernel's vDSO, which reads the hardware,
 * and makes the application's time of the answer. Runs in the program, on
 * whatever stack is there; a system call made here is caught like any other.
 */
#include <linux/errno.h>
#include <linux/time.h>
#include <asm/unistd.h>

#include "../vdso.h"

extern struct vdso_data vdso_data __attribute__((visibility("hidden")));

static long call2(long nr, long a, long b)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b)
			 : "rcx", "r11", "memory");
	return result;
}

static int in_set(long id, unsigned long set)
{
	return (unsigned long)id < 32 && (set >> id & 1);
}

/* Apart: what it needs of the stack and of registers the usual rate does not. */
static __attribute__((noinline, cold)) long at_rate(struct __kernel_timespec *ts)
{
	struct clock_now now = clock_page_read(vdso_data.page);
	int64_t s, ns;

	clock_split(clock_to_app(&now.clock,
				 clock_join(ts->tv_sec, ts->tv_nsec)),
		    &s, &ns);
	ts->tv_sec = s;
	ts->tv_nsec = ns;
	return 0;
}

static long to_app(struct __kernel_timespec *ts)
{
	int64_t s, ns;

	if (!clock_page_offset(vdso_data.page, &s, &ns))
		return at_rate(ts);
	s += ts->tv_sec;
	ns += ts->tv_nsec;
	if (ns >= NS_PER_S) {
		ns -= NS_PER_S;
		s++;
	}
	ts->tv_sec = s;
	ts->tv_nsec = ns;
	return 0;
}

long __vdso_clock_gettime(long id, struct __kernel_timespec *ts)
{
	if (in_set(id, vdso_data.changed)) {
		long result = vdso_data.clock_gettime(id, ts);

		return result ? result : to_app(ts);
	}
	/* Of other clocks the kernel's vDSO would make a call, which is caught
	 * there as well, but not as fast. */
	if (in_set(id, vdso_data.told))
		return vdso_data.clock_gettime(id, ts);
	return call2(__NR_clock_gettime, id, (long)ts);
}

struct zone {
	int minutes_west, dst;
};

long __vdso_gettimeofday(struct __kernel_old_timeval *tv, struct zone *tz)
{
	struct __kernel_timespec ts = { 0, 0 };
	long result;

	if (tz)
		return call2(__NR_gettimeofday, (long)tv, (long)tz);
	if (!tv)
		return 0;
	result = __vdso_clock_gettime(0, &ts);
	if (result != 0)
		return result;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

long __vdso_time(long *to)
{
	struct __kernel_timespec ts = { 0, 0 };
	long result;

	/* The kernel's time() reads the coarse clock. */
	result = __vdso_clock_gettime(5, &ts);
	if (result != 0)
		return result;
	if (to)
		*to = ts.tv_sec;
	return ts.tv_sec;
}

long __vdso_clock_getres(long id, struct __kernel_timespec *ts)
{
	if (!vdso_data.clock_getres || !in_set(id, CLOCKS_KNOWN))
		return call2(__NR_clock_getres, id, (long)ts);
	return vdso_data.clock_getres(id, ts);
}

long __vdso_getcpu(unsigned int *cpu, unsigned int *node, void *unused)
{
	if (!vdso_data.getcpu)
		return call2(__NR_getcpu, (long)cpu, (long)node);
	return vdso_data.getcpu(cpu, node, unused);
}

/* A C library without this function in its vDSO makes the call instead, and
 * so it does where this one says no. */
long __vdso_getrandom(void *to, uint64_t n, unsigned int flags, void *state,
		      uint64_t size)
{
	if (!vdso_data.getrandom)
		return -ENOSYS;
	return vdso_data.getrandom(to, n, flags, state, size);
}

#define WEAK(name) __attribute__((weak, alias("__vdso_" #name)))
long clock_gettime(long id, struct __kernel_timespec *ts) WEAK(clock_gettime);
long gettimeofday(struct __kernel_old_timeval *tv, struct zone *tz)
	WEAK(gettimeofday);
long time(long *to) WEAK(time);
long clock_getres(long id, struct __kernel_timespec *ts) WEAK(clock_getres);
long getcpu(unsigned int *cpu, unsigned int *node, void *unused) WEAK(getcpu);
