// SPDX-License-Identifier: Apache-2.0
/*
 * SIGSEGV, SIGBUS, SIGTRAP and SIGSYS where they are sent, not caused: each case ends
 * the program with 0 and "ok", natively and under the engine alike.
 *   held CASE
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "cases.h"

static volatile sig_atomic_t count;
static int begun;

static void handler(int sig)
{
	(void)sig;
	count++;
}

static void handle(int sig)
{
	handle_by(sig, 0, handler);
}

static const int four[] = { SIGSEGV, SIGBUS, SIGTRAP, SIGSYS };

static sigset_t set_of_four(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (int i = 0; i < 4; i++)
		sigaddset(&set, four[i]);
	return set;
}

/* Signals that are mostly caused are kept pending where they are sent. */
static void case_held(void)
{
	sigset_t set = set_of_four(), old, pending;
	struct timespec none = { 0, 0 };
	siginfo_t info;

	for (int i = 0; i < 4; i++)
		handle(four[i]);
	for (int round = 0; round < 20; round++) {
		CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
		count = 0;
		for (int i = 0; i < 4; i++)
			CHECK((i + round) % 2 ? raise(four[i]) == 0 :
			      kill(getpid(), four[i]) == 0);
		CHECK(sigpending(&pending) == 0 && count == 0);
		for (int i = 0; i < 4; i++)
			CHECK(sigismember(&pending, four[i]));
		CHECK(sigtimedwait(&set, &info, &none) > 0 && count == 0);
		CHECK(info.si_pid == getpid());
		if (round % 4 == 0)
			CHECK(sigsuspend(&old) == -1 && errno == EINTR);
		else if (round % 4 == 1)
			CHECK(ppoll(NULL, 0, NULL, &old) == -1 &&
			      errno == EINTR);
		else
			CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
		CHECK(count > 0);
		CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
		CHECK(count == 3);
		CHECK(sigpending(&pending) == 0 &&
		      !sigismember(&pending, SIGSEGV));
	}
	/* What is ignored, even for a moment, is forgotten. */
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	raise(SIGTRAP);
	signal(SIGTRAP, SIG_IGN);
	handle(SIGTRAP);
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && count == 3);
}

static volatile int depth, deepest;

static void again(int sig)
{
	deepest = ++depth > deepest ? depth : deepest;
	if (++count < 10)
		raise(sig);
	depth--;
}

static void case_heldinside(void)
{
	struct sigaction a = { .sa_handler = again };
	sigset_t pending;

	for (int i = 0; i < 4; i++) {
		count = 0;
		CHECK(sigaction(four[i], &a, NULL) == 0);
		raise(four[i]);
		CHECK(count == 10 && deepest == 1);
		CHECK(sigprocmask(SIG_BLOCK, NULL, &pending) == 0);
		CHECK(!sigismember(&pending, four[i]));
	}
}

static void case_heldend(void)
{
	sigset_t set = set_of_four(), pending;

	for (int i = 0; i < 4; i++) {
		int pipes[2];
		pid_t pid;
		char c;

		CHECK(pipe(pipes) == 0);
		pid = fork();
		if (pid == 0) {
			CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
			raise(four[i]);
			pid = fork();
			if (pid == 0) /* which has none */
				_exit(sigpending(&pending) ||
				      sigismember(&pending, four[i]));
			if (wait_status(pid) != 0)
				_exit(1);
			write(pipes[1], "", 1);
			sigprocmask(SIG_UNBLOCK, &set, NULL);
			_exit(0);
		}
		CHECK(WTERMSIG(wait_status(pid)) == four[i]);
		close(pipes[1]);
		CHECK(read(pipes[0], &c, 1) == 1);
		close(pipes[0]);
	}
}

static void case_heldexec(void)
{
	char *const none[] = { NULL }, *const args[] = { "held", "kept", NULL };
	sigset_t set = set_of_four();
	pid_t pid = fork();

	if (pid == 0) {
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		raise(SIGSEGV);
		kill(getpid(), SIGSYS);
		execve("/no/such", args, none);
		execve("/proc/self/exe", args, none);
		_exit(99);
	}
	CHECK(WEXITSTATUS(wait_status(pid)) == 43);
}

static void case_kept(void)
{
	sigset_t set, pending;

	CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
	CHECK(sigpending(&pending) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(sigismember(&set, four[i]));
	CHECK(sigismember(&pending, SIGSEGV) && sigismember(&pending, SIGSYS));
	CHECK(!sigismember(&pending, SIGBUS));
	_exit(43);
}

/* Who waits is told of nothing that it blocks: the wait goes on. */
static void case_heldwait(void)
{
	sigset_t set = set_of_four();
	pid_t parent = getpid(), pid;
	int ends[2];
	char c;

	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && pipe(ends) == 0);
	for (int round = 0; round < 8; round++) {
		struct pollfd one = { ends[0], POLLIN, 0 };
		fd_set ready;

		pid = fork();
		if (pid == 0) {
			for (int i = 0; i < 4; i++) {
				usleep(1000);
				kill(parent, four[i]);
			}
			usleep(1000);
			_exit(write(ends[1], "x", 1) != 1);
		}
		FD_ZERO(&ready);
		FD_SET(ends[0], &ready);
		CHECK((round % 2 ? poll(&one, 1, -1) :
		       syscall(SYS_select, ends[0] + 1, &ready, NULL, NULL,
			       NULL)) == 1);
		CHECK(read(ends[0], &c, 1) == 1 && wait_status(pid) == 0);
	}
}

static void *take_one(void *argument)
{
	sigset_t set = set_of_four();
	int sig = 0;

	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	CHECK(sigwait(&set, &sig) == 0);
	*(volatile int *)argument = sig;
	return NULL;
}

static void *open_all(void *argument)
{
	sigset_t set = set_of_four();

	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (count < *(const int *)argument)
		usleep(100);
	return NULL;
}

/* The process's go to a thread that takes them, a thread's stay its own. */
static void case_heldthreads(void)
{
	sigset_t set = set_of_four(), pending;
	pthread_t thread;
	int taken = 0, all = 4;

	for (int i = 0; i < 4; i++)
		handle(four[i]);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	for (int i = 0; i < 4; i++) {
		begun = 0;
		CHECK(pthread_create(&thread, NULL, take_one, &taken) == 0);
		while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
			sched_yield();
		if (i % 2)
			usleep(2000);
		CHECK(kill(getpid(), four[i]) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
		CHECK(taken == four[i] && count == 0);
	}
	begun = 0;
	CHECK(pthread_create(&thread, NULL, open_all, &all) == 0);
	while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
		sched_yield();
	CHECK(pthread_kill(pthread_self(), SIGBUS) == 0);
	for (int i = 0; i < 4; i++) {
		CHECK(kill(getpid(), four[i]) == 0);
		while (count < i + 1)
			usleep(100);
	}
	CHECK(pthread_join(thread, NULL) == 0 && count == 4);
	CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGBUS));
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0 && count == 5);
}

#define MANY 400

static volatile sig_atomic_t met[NSIG];

static void meet(int sig)
{
	met[sig]++;
}

static void *open_and_call(void *argument)
{
	sigset_t set = set_of_four();

	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	while (!*(volatile int *)argument)
		CHECK(syscall(SYS_getppid) > 0);
	return NULL;
}

/* One of a kind at a time, four kinds at once, to one thread that takes them: none
 * may be dropped, as none waits where the next of its kind is sent. */
static void case_heldmany(void)
{
	sigset_t set = set_of_four();
	int sent[4] = { 0 }, all = 0;
	volatile int done = 0;
	time_t end = time(NULL) + 20;
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		handle_by(four[i], 0, meet);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, open_and_call, (void *)&done) == 0);
	while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
		sched_yield();
	for (int i = 0; all < MANY; i = (i + 1) % 4) {
		CHECK(time(NULL) < end); /* one was lost */
		if (met[four[i]] < sent[i]) {
			sched_yield();
			continue;
		}
		sent[i]++;
		all++;
		CHECK(kill(getpid(), four[i]) == 0);
		end = time(NULL) + 20;
	}
	for (int i = 0; i < 4; i++) {
		while (met[four[i]] < sent[i]) {
			CHECK(time(NULL) < end);
			sched_yield();
		}
	}
	done = 1;
	CHECK(pthread_join(thread, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(met[four[i]] == sent[i]);
}

#define LEAVE 200

static volatile int left;

static long raw(long nr, long a, long b, long c, long d)
{
	register long r10 __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}

/* Takes signals for a moment, and then no more: even rounds block them, odd ones end
 * the thread, without the library, which blocks all before. */
static int take_shortly(void *argument)
{
	int round = *(volatile int *)argument;
	sigset_t set = set_of_four();

	raw(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, 8);
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	for (volatile int i = 0; i < round % 50 * 20; i++)
		;
	if (round % 2 == 0) {
		raw(SYS_rt_sigprocmask, SIG_BLOCK, (long)&set, 0, 8);
		while (!left)
			raw(SYS_sched_yield, 0, 0, 0, 0);
	}
	raw(SYS_exit, 0, 0, 0, 0);
	return 0;
}

/* What one thread was to take, and does not any more, another does. */
static void case_heldleave(void)
{
	static char stack[1 << 16];
	static volatile int tid;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	sigset_t set = set_of_four();
	volatile int round;
	int all = LEAVE;
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		handle(four[i]);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, open_all, &all) == 0);
	for (round = 0; round < LEAVE; round++) {
		time_t end = time(NULL) + 10;

		left = 0;
		tid = 1;
		begun = 0;
		CHECK(clone(take_shortly, stack + sizeof(stack), flags,
			    (void *)&round, NULL, NULL, &tid) > 0);
		while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
			sched_yield();
		CHECK(kill(getpid(), four[round / 2 % 4]) == 0);
		while (count <= round) {
			CHECK(time(NULL) < end); /* nobody took it */
			usleep(100);
		}
		left = 1;
		while (tid)
			sched_yield();
	}
	CHECK(pthread_join(thread, NULL) == 0 && count == LEAVE);
}

/* All four as fast as another process can, while this one blocks and opens
 * them; what ends a program ends it. */
static void case_heldstorm(void)
{
	sigset_t set = set_of_four();
	pid_t parent = getpid(), pid;

	for (int i = 0; i < 4; i++)
		handle(four[i]);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 2000; i++)
			kill(parent, four[i % 4]);
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHECK(access("/", R_OK) == 0 && getppid() > 0);
		CHECK(syscall(SYS_stat, "/", (void *)16) == -1 &&
		      errno == EFAULT);
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	}
	CHECK(count > 0);
	handle(SIGTERM);
	count = 0;
	raise(SIGTERM);
	CHECK(count == 1);
}

static const struct named cases[] = {
	{ "held", case_held, false }, { "heldinside", case_heldinside, false },
	{ "heldwait", case_heldwait, false }, { "heldend", case_heldend, false },
	{ "heldexec", case_heldexec, false },
	{ "heldthreads", case_heldthreads, false },
	{ "heldmany", case_heldmany, false },
	{ "heldleave", case_heldleave, false },
	{ "heldstorm", case_heldstorm, false }, { "kept", case_kept, true },
};

int main(int argc, char **argv)
{
	return RUN_CASES(cases, argc, argv);
}
