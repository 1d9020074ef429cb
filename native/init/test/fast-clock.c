// SPDX-License-Identifier: Apache-2.0
/*
 * Linked into a copy of init with --wrap=clock_gettime,--wrap=poll: its clocks
 * run sixty times as fast and its wall clock begins two seconds before the
 * full minute, so that a schedule can be watched for minutes in seconds.
 */
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define FASTER 60

int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	static struct timespec begun;
	struct timespec now;
	long long ns;
	int result = __real_clock_gettime(CLOCK_MONOTONIC, &now);

	if (begun.tv_sec == 0 && begun.tv_nsec == 0)
		begun = now;
	ns = ((now.tv_sec - begun.tv_sec) * 1000000000LL + now.tv_nsec -
	      begun.tv_nsec) * FASTER;
	/* 2033-05-18, a Wednesday, 03:33:58 UTC */
	t->tv_sec = (id == CLOCK_REALTIME ? 2000000038 : 1000) +
		(time_t)(ns / 1000000000);
	t->tv_nsec = (long)(ns % 1000000000);
	return result;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return __real_poll(fds, n, timeout < 0 ? timeout :
			   (timeout + FASTER - 1) / FASTER);
}
