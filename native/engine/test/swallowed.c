// SPDX-License-Identifier: Apache-2.0
/*
 * Calls that a signal meets between their trap and what answers them: none is lost,
 * natively and under the engine alike.
 *   swallowed CASE
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "cases.h"

#define SENT 40000
#define ALARMS 400

/* Shared with who sends. */
static struct {
	volatile int got, ready;
} *shared;

static void handler(int sig)
{
	(void)sig;
	shared->got++;
}

/* Nothing around is large enough for a jump: it traps each time. */
static long trapped(long nr)
{
	long result;

	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop\n"
			 "	syscall\n"
			 "	nop; nop; nop; nop; nop; nop; nop; nop"
			 : "=a"(result) : "0"(nr) : "rcx", "r11", "memory");
	return result;
}

/* One after the other; one that the kernel drops for a trap's is not waited for. */
static void send_all(pid_t parent, int sig)
{
	for (int i = 0; i < SENT; i++) {
		int before = shared->got;

		syscall(SYS_tgkill, parent, parent, sig);
		for (volatile int j = 0; j < 20000 && shared->got == before; j++)
			;
		for (volatile int j = 0; j < i % 97; j++)
			;
	}
}

static void calls_under(int sig)
{
	pid_t parent = getpid(), pid;
	long wrong = 0, calls = 0;

	signal(sig, handler);
	pid = fork();
	if (pid == 0) {
		while (!shared->ready)
			;
		send_all(parent, sig);
		_exit(0);
	}
	shared->ready = 1;
	do {
		for (int i = 0; i < 200; i++) {
			wrong += trapped(SYS_getpid) != parent;
			wrong += trapped(SYS_getppid) == SYS_getppid;
			calls += 2;
		}
	} while (waitpid(pid, NULL, WNOHANG) == 0);
	if (wrong)
		fprintf(stderr, "%ld of %ld calls lost, %d signals\n", wrong,
			calls, shared->got);
	CHECK(shared->got > 0 && wrong == 0);
}

/* The one signal that is a trap's too. */
static void case_sigsys(void)
{
	calls_under(SIGSYS);
}

static void case_sigusr1(void)
{
	calls_under(SIGUSR1);
}

static void case_vsyscall(void)
{
	int (*day)(struct timeval *, void *) = (void *)0xffffffffff600000;
	time_t (*seconds)(time_t *) = (void *)0xffffffffff600400;
	int (*processor)(unsigned int *, unsigned int *, void *) =
		(void *)0xffffffffff600800;
	struct itimerval often = { { 0, 30 }, { 0, 30 } };
	long wrong = 0, calls = 0;

	signal(SIGALRM, handler);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (shared->got < ALARMS) {
		struct timeval tv = { 0, 0 };
		unsigned int cpu = 9999;
		time_t also = 0;
		int status = day(&tv, NULL);

		wrong += status != 0 || tv.tv_sec == 0;
		wrong += seconds(&also) != also || also == 0;
		status = processor(&cpu, NULL, NULL);
		wrong += status != 0 || cpu == 9999;
		calls += 3;
	}
	memset(&often, 0, sizeof(often));
	setitimer(ITIMER_REAL, &often, NULL);
	if (wrong)
		fprintf(stderr, "%ld of %ld calls lost\n", wrong, calls);
	CHECK(wrong == 0);
}

static const struct named cases[] = {
	{ "sigsys", case_sigsys, false }, { "sigusr1", case_sigusr1, false },
	{ "vsyscall", case_vsyscall, false },
};

int main(int argc, char **argv)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return RUN_CASES(cases, argc, argv);
}
