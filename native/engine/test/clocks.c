// SPDX-License-Identifier: Apache-2.0
/*
 * The wall clock by every way, in seconds, one a line; or, with an argument,
 * waits of 60 ms by every absolute deadline: each must take that long.
 */
#include <errno.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define WAIT_NS 60000000LL

static void print(void)
{
	struct timespec ts;
	struct timeval tv;
	time_t raw;

	clock_gettime(CLOCK_REALTIME, &ts);
	printf("clock_gettime %ld\n", ts.tv_sec);
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	printf("coarse %ld\n", ts.tv_sec);
	gettimeofday(&tv, NULL);
	printf("gettimeofday %ld\n", tv.tv_sec);
	printf("time %ld\n", (long)time(NULL));
	syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
	printf("raw_clock_gettime %ld\n", ts.tv_sec);
	syscall(SYS_gettimeofday, &tv, NULL);
	printf("raw_gettimeofday %ld\n", tv.tv_sec);
	printf("raw_time %ld\n", syscall(SYS_time, &raw));
	clock_gettime(CLOCK_MONOTONIC, &ts);
	printf("monotonic %ld\n", ts.tv_sec);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	printf("cpu %ld\n", ts.tv_sec);
	clock_gettime(CLOCK_BOOTTIME, &ts);
	printf("boot %ld\n", ts.tv_sec);
}

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static struct timespec in(int64_t ns)
{
	int64_t at = now(CLOCK_REALTIME) + ns;

	return (struct timespec){ at / 1000000000, at % 1000000000 };
}

static void took(const char *what, int64_t began, int ok)
{
	int64_t ns = now(CLOCK_MONOTONIC) - began;

	if (!ok || ns < WAIT_NS * 9 / 10) {
		printf("%s: %s after %lld us\n", what, ok ? "back" : "failed",
		       (long long)ns / 1000);
		exit(1);
	}
}

static void wait_in_libc(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	int64_t began = now(CLOCK_MONOTONIC);
	struct timespec at = in(WAIT_NS);
	sem_t sem;

	took("clock_nanosleep", began,
	     clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == 0);
	pthread_mutex_lock(&mutex);
	began = now(CLOCK_MONOTONIC);
	at = in(WAIT_NS);
	took("pthread_cond_timedwait", began,
	     pthread_cond_timedwait(&cond, &mutex, &at) == ETIMEDOUT);
	sem_init(&sem, 0, 0);
	began = now(CLOCK_MONOTONIC);
	at = in(WAIT_NS);
	took("sem_timedwait", began,
	     sem_timedwait(&sem, &at) == -1 && errno == ETIMEDOUT);
}

static void wait_for_timers(void)
{
	struct itimerspec when = { .it_value = in(WAIT_NS) };
	int64_t began = now(CLOCK_MONOTONIC);
	int fd = timerfd_create(CLOCK_REALTIME, 0);
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGUSR1 };
	uint64_t ticks;
	timer_t timer;
	sigset_t set;

	timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL);
	took("timerfd", began, read(fd, &ticks, sizeof(ticks)) == sizeof(ticks));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	timer_create(CLOCK_REALTIME, &event, &timer);
	began = now(CLOCK_MONOTONIC);
	when.it_value = in(WAIT_NS);
	timer_settime(timer, TIMER_ABSTIME, &when, NULL);
	took("timer_settime", began, sigwaitinfo(&set, NULL) == SIGUSR1);
	timer_delete(timer);
	/* By a clock that is not the wall's it is as it was. */
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	began = now(CLOCK_MONOTONIC);
	when.it_value.tv_sec = (began + WAIT_NS) / 1000000000;
	when.it_value.tv_nsec = (began + WAIT_NS) % 1000000000;
	timer_settime(timer, TIMER_ABSTIME, &when, NULL);
	took("monotonic timer", began, sigwaitinfo(&set, NULL) == SIGUSR1);
}

static void wait_in_kernel(void)
{
	int64_t began = now(CLOCK_MONOTONIC);
	struct timespec at = in(WAIT_NS);
	int word = 0;

	took("futex", began,
	     syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME,
		     0, &at, NULL, FUTEX_BITSET_MATCH_ANY) == -1 &&
	     errno == ETIMEDOUT);
	began = now(CLOCK_MONOTONIC);
	at = (struct timespec){ 0, WAIT_NS };
	took("futex for a duration", began,
	     syscall(SYS_futex, &word, FUTEX_WAIT, 0, &at, NULL, 0) == -1 &&
	     errno == ETIMEDOUT);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc == 1) {
		print();
		return 0;
	}
	wait_in_libc();
	wait_for_timers();
	wait_in_kernel();
	puts("ok");
	return 0;
}
