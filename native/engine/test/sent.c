// SPDX-License-Identifier: Apache-2.0
/*
 * What SIGSEGV, SIGBUS, SIGTRAP and SIGSYS do to calls and to processes where they are
 * sent: each case ends the program with 0 and "ok", natively and under the engine alike.
 *   sent CASE
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "cases.h"

static volatile sig_atomic_t count, others;
static const int four[] = { SIGSEGV, SIGBUS, SIGTRAP, SIGSYS };

static void handler(int sig)
{
	(void)sig;
	count++;
}

static void other(int sig)
{
	(void)sig;
	others++;
}

static void mask_four(int how)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 4; i++)
		sigaddset(&set, four[i]);
	CHECK(sigprocmask(how, &set, NULL) == 0);
}

static void until_asleep(pid_t pid)
{
	char path[64], state = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != 'S') {
		FILE *file = fopen(path, "r");

		CHECK(file && fscanf(file, "%*d %*s %c", &state) == 1);
		fclose(file);
		usleep(500);
	}
}

/* By a child, while this process waits; then a byte to @end. */
static pid_t send_later(int sig, int end)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		until_asleep(parent);
		kill(parent, sig);
		until_asleep(parent);
		_exit(write(end, "x", 1) != 1);
	}
	return pid;
}

/* A handler without SA_RESTART ends what waits. */
static void case_interrupts(void)
{
	int ends[2];
	char c;

	CHECK(pipe(ends) == 0);
	for (int i = 0; i < 8; i++) {
		bool restart = i % 2;
		pid_t pid;

		count = 0;
		handle_by(four[i / 2], restart ? SA_RESTART : 0, handler);
		pid = send_later(four[i / 2], ends[1]);
		if (restart)
			CHECK(read(ends[0], &c, 1) == 1);
		else
			CHECK(read(ends[0], &c, 1) == -1 && errno == EINTR);
		CHECK(count == 1 && wait_status(pid) == 0);
		if (!restart)
			CHECK(read(ends[0], &c, 1) == 1);
	}
}

/* What is ignored ends nothing. */
static void case_ignored(void)
{
	int ends[2];
	char c;

	CHECK(pipe(ends) == 0);
	for (int i = 0; i < 8; i++) {
		struct pollfd one = { ends[0], POLLIN, 0 };
		sigset_t none;
		pid_t pid;

		sigemptyset(&none);
		signal(four[i / 2], SIG_IGN);
		pid = send_later(four[i / 2], ends[1]);
		CHECK((i % 2 ? poll(&one, 1, -1) :
		       ppoll(&one, 1, NULL, &none)) == 1);
		CHECK(read(ends[0], &c, 1) == 1 && wait_status(pid) == 0);
	}
}

/* Each waits for something that the child does after all four were sent. */
static void end_wait(int kind, int end, int semaphore, int queue)
{
	struct sembuf up = { 0, 1, 0 };
	struct { long type; char c; } message = { 1, 0 };

	if (kind == 0)
		_exit(write(end, "x", 1) != 1);
	if (kind == 1)
		_exit(semop(semaphore, &up, 1) != 0);
	if (kind == 2)
		_exit(msgsnd(queue, &message, 1, 0) != 0);
	_exit(0);
}

static long wait_by(int kind, int from, int semaphore, int queue)
{
	struct sembuf down = { 0, -1, 0 };
	struct { long type; char c; } message;
	struct epoll_event event = { .events = EPOLLIN };
	struct timespec until;
	int all = epoll_create1(0), word = 0;
	long result;

	CHECK(epoll_ctl(all, EPOLL_CTL_ADD, from, &event) == 0);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 30000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	if (kind == 0) {
		result = syscall(441 /* epoll_pwait2 */, all, &event, 1, NULL, NULL, 8);
		CHECK(result == 1 || errno == ENOSYS);
		return read(from, &word, 1);
	}
	if (kind == 1)
		return semop(semaphore, &down, 1);
	if (kind == 2)
		return msgrcv(queue, &message, 1, 0, 0);
	if (kind == 3)
		return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until,
				       NULL) == 0 ? 1 : -1;
	/* FUTEX_WAIT_BITSET, until then */
	result = syscall(SYS_futex, &word, 9, 0, &until, NULL, -1);
	return result == -1 && errno == ETIMEDOUT ? 1 : -1;
}

/* What is blocked ends nothing, whatever waits. */
static void case_blocked(void)
{
	int semaphore = semget(IPC_PRIVATE, 1, 0600), ends[2];
	int queue = msgget(IPC_PRIVATE, 0600);
	pid_t parent = getpid();

	CHECK(semaphore >= 0 && queue >= 0 && pipe(ends) == 0);
	mask_four(SIG_BLOCK);
	for (int kind = 0; kind < 5; kind++) {
		pid_t pid = fork();

		if (pid == 0) {
			for (int i = 0; i < 4; i++) {
				usleep(2000);
				kill(parent, four[i]);
			}
			usleep(2000);
			end_wait(kind, ends[1], semaphore, queue);
		}
		CHECK(wait_by(kind, ends[0], semaphore, queue) >= 0);
		CHECK(wait_status(pid) == 0);
	}
	CHECK(semctl(semaphore, 0, IPC_RMID) == 0);
	CHECK(msgctl(queue, IPC_RMID, NULL) == 0);
}

/* The mask of a wait holds no more where the wait found something. */
static void case_found(void)
{
	struct itimerval often = { { 0, 40 }, { 0, 40 } };
	struct pollfd one = { 0, POLLIN, 0 };
	sigset_t set, none;
	int ends[2];

	CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1);
	one.fd = ends[0];
	handle_by(SIGALRM, 0, handler);
	handle_by(SIGUSR2, 0, other);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && raise(SIGUSR2) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	while (count < 2000)
		CHECK(ppoll(&one, 1, NULL, &none) == 1 && others == 0);
	memset(&often, 0, sizeof(often));
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
}

/* A call whose surroundings are not there, while SIGSEGV is sent. */
static void case_edge(void)
{
	/* mov %edi, %eax; syscall; cmp $-4095, %rax; ret */
	static const unsigned char code[] = {
		0x89, 0xf8, 0x90, 0x90, 0x90, 0x90, 0x90, 0x0f, 0x05,
		0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0xc3 };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL,
				  .sigev_signo = SIGSEGV };
	struct itimerspec often = { { 0, 60000 }, { 0, 60000 } };
	timer_t timer;

	handle_by(SIGSEGV, 0, handler);
	CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	CHECK(timer_settime(timer, 0, &often, NULL) == 0);
	for (int i = 0; i < 1000 || count < 100; i++) {
		char *pages = mmap(NULL, 3 * 4096, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *middle = pages + 4096;
		long (*call)(long) = (long (*)(long))(void *)(middle + 64);

		CHECK(pages != MAP_FAILED);
		CHECK(mprotect(middle, 4096, PROT_READ | PROT_WRITE) == 0);
		memcpy(middle + 64, code, sizeof(code));
		CHECK(mprotect(middle, 4096, PROT_READ | PROT_EXEC) == 0);
		CHECK(call(SYS_getpid) == getpid());
		CHECK(munmap(pages, 3 * 4096) == 0);
	}
	CHECK(timer_delete(timer) == 0);
}

/* A child of vfork() ignores them for itself. */
static void case_vforked(void)
{
	sigset_t pending;
	pid_t pid;

	mask_four(SIG_BLOCK);
	raise(SIGSEGV);
	kill(getpid(), SIGBUS);
	pid = vfork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		signal(SIGBUS, SIG_IGN);
		_exit(0);
	}
	CHECK(wait_status(pid) == 0 && sigpending(&pending) == 0);
	CHECK(sigismember(&pending, SIGSEGV) && sigismember(&pending, SIGBUS));
}

/* What is ignored stays so over execve(), and what is pending then. */
static void case_overexec(void)
{
	char *const args[] = { "sent", "ignoring", NULL };
	char *const none[] = { NULL };

	for (volatile int i = 0; i < 2; i++) {
		pid_t pid = i == 0 ? fork() : vfork();

		if (pid == 0) {
			for (int j = 0; j < 4; j++)
				signal(four[j], SIG_IGN);
			execve("/no/such", args, none);
			kill(getpid(), SIGSEGV);
			mask_four(SIG_BLOCK);
			kill(getpid(), SIGBUS);
			execve("/proc/self/exe", args, none);
			_exit(99);
		}
		CHECK(wait_status(pid) == 0);
		signal(SIGSEGV, SIG_DFL);
	}
}

static void case_ignoring(void)
{
	sigset_t pending;

	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGBUS));
	mask_four(SIG_UNBLOCK);
	for (int i = 0; i < 4; i++) {
		struct sigaction a;

		CHECK(sigaction(four[i], NULL, &a) == 0);
		CHECK(a.sa_handler == SIG_IGN && raise(four[i]) == 0);
	}
	_exit(0);
}

#define THREADS 100

static volatile int seen;

static int wait_for_one(void *argument)
{
	/* The only thread that takes it, and makes no call that asks. */
	while (count <= *(volatile int *)argument)
		;
	seen = 1;
	syscall(SYS_exit, 0);
	return 0;
}

/* What was sent before a thread began is for it too. */
static void case_begins(void)
{
	static char stack[1 << 16];
	static volatile int tid;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	volatile int round;

	for (int i = 0; i < 4; i++)
		handle_by(four[i], 0, handler);
	for (round = 0; round < THREADS; round++) {
		time_t end = time(NULL) + 5;

		seen = 0;
		tid = 1;
		CHECK(clone(wait_for_one, stack + sizeof(stack), flags,
			    (void *)&round, NULL, NULL, &tid) > 0);
		mask_four(SIG_BLOCK);
		CHECK(kill(getpid(), four[round % 4]) == 0);
		while (!seen)
			CHECK(time(NULL) < end); /* nobody was told */
		while (tid)
			sched_yield();
		mask_four(SIG_UNBLOCK);
	}
}

static const struct named cases[] = {
	{ "interrupts", case_interrupts, false },
	{ "ignored", case_ignored, false }, { "blocked", case_blocked, false },
	{ "found", case_found, false }, { "edge", case_edge, false },
	{ "vforked", case_vforked, false }, { "overexec", case_overexec, false },
	{ "ignoring", case_ignoring, true }, { "begins", case_begins, false },
};

int main(int argc, char **argv)
{
	return RUN_CASES(cases, argc, argv);
}
