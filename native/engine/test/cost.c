// SPDX-License-Identifier: Apache-2.0
/*
 * What single calls cost: `cost FILE [BATCHES]` prints "name ns" for each, the
 * median of so many batches (15).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define BATCHES_MAX 101

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
	{ "stat", do_stat, 500 }, { "clock_gettime", do_clock, 5000 },
	{ "raw clock_gettime", do_clock_raw, 2000 }, { "uname", do_uname, 2000 },
	{ "read", do_read, 2000 },
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	int batches = argc > 2 ? atoi(argv[2]) : 15;
	double took[BATCHES_MAX];

	if (argc < 2 || batches < 1 || batches > BATCHES_MAX)
		return 2;
	file = argv[1];
	zero = open("/dev/zero", O_RDONLY);
	for (unsigned int i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		calls[i].call();
		for (int b = 0; b < batches; b++) {
			double began = now();

			for (int n = 0; n < calls[i].times; n++)
				calls[i].call();
			took[b] = (now() - began) / calls[i].times;
		}
		qsort(took, (size_t)batches, sizeof(double), compare);
		printf("%s %.1f\n", calls[i].name, took[batches / 2]);
	}
	return 0;
}
