// SPDX-License-Identifier: Apache-2.0
/*
 * What single calls cost: `cost FILE [BATCHES [NAME...]]` prints "name ns cpu"
 * for each, or for those named: nanoseconds by the clock and of the program's own
 * processor time, each the median of so many batches (15). First comes the year
 * that the program sees. A file that is not found is an error. With COST_DISPATCH
 * in the environment the kernel dispatches calls and lets all of them pass: what no
 * engine that catches calls so can be below.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX 101
#define DISPATCH 59	/* PR_SET_SYSCALL_USER_DISPATCH */
#define DISPATCH_ON 1

static const char *file;
static int zero;

static void do_getpid(void) { syscall(SYS_getpid); }
static void do_open(void) { close(open(file, O_RDONLY)); }

static void do_stat(void)
{
	struct stat st;

	stat(file, &st);
}

static void do_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
}

static void do_clock_raw(void)
{
	struct timespec ts;

	syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
}

static void do_uname(void)
{
	struct utsname names;

	uname(&names);
}

static void do_read(void)
{
	char c;

	read(zero, &c, 1);
}

static const struct {
	const char *name;
	void (*call)(void);
	int times;
} calls[] = {
	{ "getpid", do_getpid, 2000 }, { "open+close", do_open, 500 },
	{ "stat", do_stat, 500 }, { "clock_gettime", do_clock, 50000 },
	{ "raw clock_gettime", do_clock_raw, 2000 }, { "uname", do_uname, 2000 },
	{ "read", do_read, 2000 },
};

static double now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(double), compare);
	return values[count / 2];
}

static void measure(unsigned int i, int batches)
{
	double took[BATCHES_MAX] = { 0 }, used[BATCHES_MAX] = { 0 };

	calls[i].call();
	for (int b = 0; b < batches; b++) {
		double cpu = now(CLOCK_PROCESS_CPUTIME_ID);
		double began = now(CLOCK_MONOTONIC);

		for (int n = 0; n < calls[i].times; n++)
			calls[i].call();
		took[b] = (now(CLOCK_MONOTONIC) - began) / calls[i].times;
		used[b] = (now(CLOCK_PROCESS_CPUTIME_ID) - cpu) / calls[i].times;
	}
	printf("%s %.1f %.1f\n", calls[i].name, median(took, batches),
	       median(used, batches));
}

static bool wanted(const char *name, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return count == 0;
}

int main(int argc, char **argv)
{
	int batches = argc > 2 ? atoi(argv[2]) : 15;
	int names = argc > 3 ? argc - 3 : 0;
	time_t seconds = time(NULL);

	if (argc < 2 || batches < 1 || batches > BATCHES_MAX)
		return 2;
	file = argv[1];
	if (access(file, R_OK) != 0) {
		perror(file);
		return 1;
	}
	zero = open("/dev/zero", O_RDONLY);
	if (getenv("COST_DISPATCH") &&
	    prctl(DISPATCH, DISPATCH_ON, 4096UL, 1UL << 47, 0) < 0) {
		perror("prctl");
		return 1;
	}
	printf("year %d 0\n", gmtime(&seconds)->tm_year + 1900);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (wanted(calls[i].name, names, argv + 3))
			measure(i, batches);
	}
	return 0;
}
