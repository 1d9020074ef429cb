// SPDX-License-Identifier: Apache-2.0
/*
 * Element: the wall clock. Replicates what the kernel does with
 * CLOCK_REALTIME (kernel/time/timekeeping.c, posix-timers.c, and the absolute
 * deadlines of futexes, timers and message queues). Monotonic clocks and
 * durations stay the kernel's. Callers of the vDSO never come here (vdso/).
 */
#include <linux/futex.h>

#include "dispatch.h"
#include "engine.h"
#include "gate.h"
#include "sys.h"
#include "text.h"
#include "vdso.h"

#define TIMERS 4096

static bool is_wall(long id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE ||
	       id == CLOCK_REALTIME_ALARM || id == CLOCK_TAI;
}

static void to_app(struct timespec *ts)
{
	struct clock_now now = clock_page_read(engine.clock_page);
	int64_t s, ns;

	clock_split(clock_to_app(&now.clock,
				 clock_join(ts->tv_sec, ts->tv_nsec)), &s, &ns);
	ts->tv_sec = s;
	ts->tv_nsec = ns;
}

/* A deadline of the application's for the kernel, which takes none from
 * before 1970 and none after what it can count. */
static void deadline(struct timespec *ts)
{
	struct clock_now now = clock_page_read(engine.clock_page);
	int64_t when, s, ns;

	if (ts->tv_nsec < 0 || ts->tv_nsec >= NS_PER_S || ts->tv_sec < 0)
		return; /* the kernel says what is wrong */
	when = clock_to_kernel(&now.clock,
			       clock_join(ts->tv_sec, ts->tv_nsec));
	clock_split(when < 0 ? 0 : when, &s, &ns);
	ts->tv_sec = s;
	ts->tv_nsec = ns;
}

static long call_clock_gettime(struct record *r)
{
	struct timespec ts;
	long result;

	if (!is_wall((int)r->rdi) || vdso_is_kernels(r->ret))
		return call_through(r);
	result = SYS(__NR_clock_gettime, r->rdi, &ts);
	if (result < 0)
		return result;
	to_app(&ts);
	return copy_bytes((void *)r->rsi, &ts, sizeof(ts));
}

static struct timespec now(void)
{
	struct timespec ts = { 0, 0 };

	SYS(__NR_clock_gettime, CLOCK_REALTIME, &ts);
	to_app(&ts);
	return ts;
}

static long call_gettimeofday(struct record *r)
{
	struct timespec ts = now();
	struct timeval tv = { ts.tv_sec, ts.tv_nsec / 1000 };

	if (vdso_is_kernels(r->ret))
		return call_through(r);
	if (r->rdi && copy_bytes((void *)r->rdi, &tv, sizeof(tv)) < 0)
		return -EFAULT;
	return r->rsi ? SYS(__NR_gettimeofday, 0, r->rsi) : 0;
}

static long call_time(struct record *r)
{
	long s = now().tv_sec;

	if (vdso_is_kernels(r->ret))
		return call_through(r);
	if (r->rdi && copy_bytes((void *)r->rdi, &s, sizeof(s)) < 0)
		return -EFAULT;
	return s;
}

/* The call as asked, but with the timespec at *@argument translated. */
static long with_deadline(struct record *r, unsigned long *argument)
{
	unsigned long was = *argument;
	struct timespec ts;
	long result;

	if (!was)
		return call_through(r);
	if (copy_bytes(&ts, (void *)was, sizeof(ts)) < 0)
		return -EFAULT;
	deadline(&ts);
	*argument = (unsigned long)&ts;
	result = call_through(r);
	*argument = was;
	return result;
}

static long call_clock_nanosleep(struct record *r)
{
	if (!is_wall((int)r->rdi) || !(r->rsi & TIMER_ABSTIME))
		return call_through(r);
	return with_deadline(r, &r->rdx);
}

static long call_futex(struct record *r)
{
	bool real = r->rsi & FUTEX_CLOCK_REALTIME;

	switch (r->rsi & (unsigned long)FUTEX_CMD_MASK) {
	case FUTEX_LOCK_PI:
		real = true;
		break;
	case FUTEX_WAIT_BITSET:
	case FUTEX_WAIT_REQUEUE_PI:
	case FUTEX_LOCK_PI2:
		break;
	default:
		real = false; /* others wait for a duration, or do not wait */
	}
	return real ? with_deadline(r, &r->r10) : call_through(r);
}

static long call_futex_waitv(struct record *r)
{
	if (!is_wall((int)r->r8))
		return call_through(r);
	return with_deadline(r, &r->r10);
}

static long call_mq_timed(struct record *r)
{
	return with_deadline(r, &r->r8);
}

/* Which timers count by the wall clock; the kernel numbers them from 0 on. */
static unsigned char wall_timers[TIMERS / 8];

static long call_timer_create(struct record *r)
{
	long result = call_through(r);
	unsigned char bit;
	int id;

	if (result < 0 || copy_bytes(&id, (void *)r->rdx, sizeof(id)) < 0 ||
	    id < 0 || id >= TIMERS)
		return result;
	bit = (unsigned char)(1U << (id % 8));
	if (is_wall((int)r->rdi))
		__atomic_fetch_or(&wall_timers[id / 8], bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&wall_timers[id / 8],
				   (unsigned char)~bit, __ATOMIC_RELAXED);
	return result;
}

/* The calls that set timers take a struct itimerspec. */
static long set_timer(struct record *r, bool wall)
{
	struct timespec both[2];
	unsigned long was = r->rdx;
	long result;

	if (!wall || !(r->rsi & TIMER_ABSTIME) || !was)
		return call_through(r);
	if (copy_bytes(both, (void *)was, sizeof(both)) < 0)
		return -EFAULT;
	/* 0 disarms. */
	if (both[1].tv_sec != 0 || both[1].tv_nsec != 0) {
		deadline(&both[1]);
		if (both[1].tv_sec == 0 && both[1].tv_nsec == 0)
			both[1].tv_nsec = 1;
	}
	r->rdx = (unsigned long)both;
	result = call_through(r);
	r->rdx = was;
	return result;
}

static long call_timer_settime(struct record *r)
{
	unsigned long id = (unsigned int)r->rdi;

	return set_timer(r, id < TIMERS &&
			 (wall_timers[id / 8] >> (id % 8) & 1));
}

/* A timerfd tells its clock in /proc: descriptors are passed around. */
static bool timer_is_wall(int fd)
{
	static const char key[] = "clockid: ";
	char path[48], text[512];
	long file, n;

	text_copy(path, sizeof(path), "/proc/self/fdinfo/");
	text_decimal(path + strlen(path), fd);
	file = SYS(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (file < 0)
		return false;
	n = SYS(__NR_read, file, text, sizeof(text) - 1);
	SYS(__NR_close, file);
	if (n <= 0)
		return false;
	text[n] = 0;
	for (char *at = text; *at; at++) {
		if (strncmp(at, key, sizeof(key) - 1) == 0) {
			at += sizeof(key) - 1;
			return (at[0] == '0' || at[0] == '8') && at[1] == '\n';
		}
	}
	return false;
}

static long call_timerfd_settime(struct record *r)
{
	return set_timer(r, (r->rsi & TIMER_ABSTIME) && r->rdx &&
			 timer_is_wall((int)r->rdi));
}

/* struct timex: its time is a timeval at offset 72. */
static long adjusted(struct record *r, unsigned long timex)
{
	long result = call_through(r);
	struct timespec ts = now();
	struct timeval tv = { ts.tv_sec, ts.tv_nsec / 1000 };

	if (result >= 0)
		copy_bytes((char *)timex + 72, &tv, sizeof(tv));
	return result;
}

static long call_adjtimex(struct record *r)
{
	return adjusted(r, r->rdi);
}

static long call_clock_adjtime(struct record *r)
{
	return is_wall((int)r->rdi) ? adjusted(r, r->rsi) : call_through(r);
}

void clock_add(void)
{
	dispatch_add(__NR_clock_gettime, call_clock_gettime);
	dispatch_add(__NR_gettimeofday, call_gettimeofday);
	dispatch_add(__NR_time, call_time);
	dispatch_add(__NR_clock_nanosleep, call_clock_nanosleep);
	dispatch_add(__NR_futex, call_futex);
	dispatch_add(__NR_futex_waitv, call_futex_waitv);
	dispatch_add(__NR_mq_timedsend, call_mq_timed);
	dispatch_add(__NR_mq_timedreceive, call_mq_timed);
	dispatch_add(__NR_timer_create, call_timer_create);
	dispatch_add(__NR_timer_settime, call_timer_settime);
	dispatch_add(__NR_timerfd_settime, call_timerfd_settime);
	dispatch_add(__NR_adjtimex, call_adjtimex);
	dispatch_add(__NR_clock_adjtime, call_clock_adjtime);
}
