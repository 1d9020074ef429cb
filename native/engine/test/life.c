// SPDX-License-Identifier: Apache-2.0
/*
 * What threads, processes and signals do to a program: each case ends the
 * program with 0 and "ok", natively and under the engine alike.
 *   life CASE
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "cases.h"

extern char **environ;
static volatile sig_atomic_t count, last, on_alt;
static char alt[1 << 16];
static const char *self;

static void handler(int sig)
{
	char here;

	count++;
	last = sig;
	on_alt = (uintptr_t)&here - (uintptr_t)alt < sizeof(alt);
}

static void handle(int sig, int flags)
{
	handle_by(sig, flags, handler);
}

static void case_fork(void)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (pid == 0)
			_exit(getppid() > 0 ? i : 99);
		CHECK(WEXITSTATUS(wait_status(pid)) == i);
	}
}

static void case_vfork(void)
{
	for (int i = 0; i < 20; i++) {
		volatile int shared = 0;
		pid_t pid = vfork();

		CHECK(pid >= 0);
		if (pid == 0) {
			shared = i + 1;
			getppid();
			if (i % 2)
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		CHECK(shared == i + 1);
		CHECK(wait_status(pid) == 0);
	}
}

static void case_spawn(void)
{
	for (int i = 0; i < 10; i++) {
		char *args[] = { "sh", "-c", "exit 7", NULL };
		posix_spawnattr_t attributes;
		sigset_t set;
		pid_t pid;

		posix_spawnattr_init(&attributes);
		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		posix_spawnattr_setsigdefault(&attributes, &set);
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
		handle(SIGUSR1, 0);
		CHECK(posix_spawnp(&pid, "sh", NULL, &attributes, args,
				   environ) == 0);
		CHECK(WEXITSTATUS(wait_status(pid)) == 7);
		/* The child's dispositions are its own. */
		raise(SIGUSR1);
		CHECK(count == i + 1);
		CHECK(posix_spawnp(&pid, "/no/such", NULL, NULL, args,
				   environ) == ENOENT);
	}
}

static int on_own_stack(void *argument)
{
	*(volatile int *)argument += 1;
	_exit(5);
}

static void case_clone(void)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static const int ways[] = { SIGCHLD, CLONE_VM | SIGCHLD,
		CLONE_VM | CLONE_VFORK | SIGCHLD, CLONE_VFORK | SIGCHLD,
		CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD };

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		char *stack = malloc(1 << 16);
		pid_t pid = clone(on_own_stack, stack + (1 << 16), ways[i],
				  shared);

		CHECK(pid > 0);
		CHECK(WEXITSTATUS(wait_status(pid)) == 5);
		CHECK(*shared == (int)i + 1);
		free(stack);
	}
	/* No stack of its own, as Go starts programs. */
	for (int i = 0; i < 5; i++) {
		long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			_exit(6);
		CHECK(WEXITSTATUS(wait_status((pid_t)pid)) == 6);
	}
}

static void *work(void *argument)
{
	char *memory = malloc(1000);
	FILE *f = fopen("/proc/self/stat", "r");

	CHECK(f && memory);
	CHECK(fgets(memory, 1000, f));
	fclose(f);
	free(memory);
	__atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
	return argument;
}

static void case_threads(void)
{
	int done = 0;

	for (int round = 0; round < 20; round++) {
		pthread_t threads[10];

		for (int i = 0; i < 10; i++)
			CHECK(pthread_create(&threads[i], NULL, work, &done) == 0);
		for (int i = 0; i < 10; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
	}
	CHECK(done == 200);
}

static void *block(void *argument)
{
	char c;

	read(*(int *)argument, &c, 1);
	return NULL;
}

static void case_cancel(void)
{
	for (int i = 0; i < 20; i++) {
		int pipes[2];
		pthread_t thread;
		void *result;

		CHECK(pipe(pipes) == 0);
		CHECK(pthread_create(&thread, NULL, block, &pipes[0]) == 0);
		if (i % 2)
			usleep(1000);
		CHECK(pthread_cancel(thread) == 0);
		CHECK(pthread_join(thread, &result) == 0);
		CHECK(result == PTHREAD_CANCELED);
		close(pipes[0]);
		close(pipes[1]);
	}
}

static volatile int stop;
static int begun;

static void *caller(void *argument)
{
	long calls = 0;

	(void)argument;
	__atomic_add_fetch(&begun, 1, __ATOMIC_SEQ_CST);
	do {
		struct stat *nothing = NULL;

		CHECK(syscall(SYS_getppid) > 0);
		CHECK(access("/", R_OK) == 0);
		CHECK(syscall(SYS_stat, "/no/such/file", nothing) == -1 &&
		      errno == ENOENT);
		calls++;
	} while (!stop);
	CHECK(calls > 0);
	return NULL;
}

static void case_storm(void)
{
	struct itimerval often = { { 0, 100 }, { 0, 100 } };
	pthread_t threads[4];

	handle(SIGALRM, SA_RESTART);
	handle(SIGUSR1, SA_RESTART | SA_ONSTACK);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, caller, NULL) == 0);
	while (__atomic_load_n(&begun, __ATOMIC_SEQ_CST) < 4)
		sched_yield();
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 2000; i++)
		CHECK(pthread_kill(threads[i % 4], SIGUSR1) == 0);
	stop = 1;
	memset(&often, 0, sizeof(often));
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(count > 0);
}

/* Of a child that sends to its parent as often as it can. */
static void case_arrive(void)
{
	pid_t parent = getpid(), pid;
	sigset_t set, old;
	int sent = 500;

	handle(SIGUSR2, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
	CHECK(!sigismember(&old, SIGUSR2) && !sigismember(&old, SIGHUP));
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < sent; i++) {
			kill(parent, SIGUSR2);
			for (volatile int j = 0; j < i * 4; j++)
				;
		}
		_exit(0);
	}
	/* Each wait ends by a signal, and only by one. */
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		int before = count;
		struct timespec moment = { 0, 20000000 };

		CHECK(ppoll(NULL, 0, &moment, &old) <= 0);
		if (count == before)
			continue;
		CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0);
		CHECK(sigismember(&old, SIGUSR2) && !sigismember(&old, SIGHUP));
		sigdelset(&old, SIGUSR2);
	}
	/* What came after the last wait. */
	CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	CHECK(count > 0);
}

static void case_suspend(void)
{
	sigset_t set, old, pending;

	handle(SIGUSR1, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (int i = 0; i < 50; i++) {
		CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
		raise(SIGUSR1);
		CHECK(count == i);
		CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
		CHECK(sigsuspend(&old) == -1 && errno == EINTR);
		CHECK(count == i + 1);
		CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
		CHECK(sigprocmask(SIG_BLOCK, NULL, &pending) == 0);
		CHECK(sigismember(&pending, SIGUSR1));
		CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	}
	for (int i = 0; i < 50; i++) {
		struct timespec moment = { 10, 0 };

		CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
		raise(SIGUSR1);
		CHECK(pselect(0, NULL, NULL, NULL, &moment, &old) == -1);
		CHECK(errno == EINTR && count == 51 + i);
		CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
	}
}

/* Again and again: on a busy machine the first may come before the call that it
 * shall interrupt. */
static void alarms(int microseconds)
{
	struct itimerval each = { { 0, microseconds }, { 0, microseconds } };

	CHECK(setitimer(ITIMER_REAL, &each, NULL) == 0);
}

static void *write_soon(void *argument)
{
	int before = count;

	while (count < before + 2)
		usleep(1000);
	CHECK(write(*(int *)argument, "x", 1) == 1);
	return NULL;
}

static void case_restart(void)
{
	pthread_t thread;
	int pipes[2];
	sigset_t set;
	char c;

	CHECK(pipe(pipes) == 0);
	handle(SIGALRM, 0);
	alarms(20000);
	CHECK(read(pipes[0], &c, 1) == -1 && errno == EINTR && count > 0);
	alarms(0);
	handle(SIGALRM, SA_RESTART);
	/* The timer's signal has to come to this thread. */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	CHECK(pthread_create(&thread, NULL, write_soon, &pipes[1]) == 0);
	CHECK(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
	alarms(20000);
	CHECK(read(pipes[0], &c, 1) == 1 && c == 'x');
	alarms(0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static sigjmp_buf jump;

static void jumper(int sig)
{
	count++;
	siglongjmp(jump, sig);
}

static void case_jump(void)
{
	struct sigaction a = { .sa_handler = jumper };
	int pipes[2];
	char c;

	CHECK(pipe(pipes) == 0);
	CHECK(sigaction(SIGALRM, &a, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
	for (volatile int i = 0; i < 30; i++) {
		struct itimerval once = { { 0, 0 }, { 0, 1000 } };

		if (sigsetjmp(jump, 1) == 0) {
			CHECK(setitimer(ITIMER_REAL, &once, NULL) == 0);
			for (;;)
				read(pipes[0], &c, 1);
		}
		if (sigsetjmp(jump, 1) == 0)
			*(volatile int *)8 = 1;
	}
	CHECK(count == 60);
}

static void case_alt(void)
{
	stack_t stack = { .ss_sp = alt, .ss_size = sizeof(alt) }, old;
	static const char text[] = "x";

	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_flags == SS_DISABLE);
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alt &&
	      old.ss_size == sizeof(alt) && old.ss_flags == 0);
	handle(SIGUSR1, SA_ONSTACK);
	handle(SIGUSR2, 0);
	raise(SIGUSR1);
	CHECK(count == 1 && on_alt);
	raise(SIGUSR2);
	CHECK(count == 2 && !on_alt);
	CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alt);
	old.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&old, NULL) == 0);
	raise(SIGUSR1);
	CHECK(count == 3 && !on_alt);
	old.ss_flags = 0;
	old.ss_size = 100;
	old.ss_sp = alt;
	CHECK(sigaltstack(&old, NULL) == -1 && errno == ENOMEM);
	CHECK(write(2, text, 0) == 0);
}

static int counted;

static void count_one(int sig)
{
	(void)sig;
	__atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
}

/* Without the library, which blocks all signals before. */
static int end_at_once(void *unused)
{
	(void)unused;
	__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0)
			 : "rcx", "r11", "memory");
	return 0;
}

/* What is sent to the process is not lost with a thread that ends. */
static void case_ending(void)
{
	static char stack[1 << 16];
	static volatile int tid;
	pid_t parent = getpid(), pid;
	int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
		    CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID;
	const int sent = 10000;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	signal(SIGRTMIN, count_one);
	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < sent; i++) {
			union sigval none = { 0 };
			struct timespec moment = { 0, 1000 };

			while (sigqueue(parent, SIGRTMIN, none) != 0)
				usleep(100);
			nanosleep(&moment, NULL);
			for (volatile int j = 0; j < i % 50 * 20; j++)
				;
		}
		_exit(0);
	}
	while (waitpid(pid, NULL, WNOHANG) == 0) {
		tid = 1;
		CHECK(clone(end_at_once, stack + sizeof(stack), flags, NULL,
			    NULL, NULL, &tid) > 0);
		/* The thread began with it open, and is the only one. */
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		while (tid)
			sched_yield();
		CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
	}
	CHECK(counted == sent);
}

static char *locked;

static void lock_stack(int sig)
{
	long result;

	(void)sig;
	count++;
	/* Not the library's, which may write to the stack afterwards. */
	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(SYS_mprotect), "D"(locked), "S"(65536),
			   "d"(PROT_READ) : "rcx", "r11", "memory");
}

/* A handler returns though its frame cannot be written to any more. */
static void case_locked(void)
{
	struct sigaction a = { .sa_handler = lock_stack,
			       .sa_flags = SA_ONSTACK };
	stack_t stack = { .ss_size = 65536 };

	locked = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack.ss_sp = locked;
	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGUSR1, &a, NULL) == 0);
	raise(SIGUSR1);
	CHECK(count == 1 && sigaltstack(NULL, &stack) == 0);
	CHECK(stack.ss_sp == locked && stack.ss_flags == 0);
}

static volatile int no_room_code;

static void told_no_room(int sig, siginfo_t *info, void *unused)
{
	(void)sig;
	(void)unused;
	no_room_code = info->si_code;
}

/* Where there is no room for a handler's frame, that of SIGSEGV is told. */
static void case_full(void)
{
	struct sigaction a = { .sa_sigaction = told_no_room,
			       .sa_flags = SA_SIGINFO };
	void *place = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
	stack_t stack = { .ss_sp = place, .ss_size = 65536 };
	volatile double before = 123.456;

	CHECK(sigaltstack(&stack, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &a, NULL) == 0);
	handle(SIGUSR1, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(count == 0 && no_room_code == 0x80 && before == 123.456);
	CHECK(mprotect(place, 65536, PROT_READ | PROT_WRITE) == 0);
	raise(SIGUSR1);
	CHECK(count == 1);
}

static volatile long seen_address, seen_rax;

static void look(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	seen_address = (long)info->si_addr;
	uc->uc_mcontext.gregs[REG_RIP] += 2;
	uc->uc_mcontext.gregs[REG_RAX] = 77;
}

static void case_context(void)
{
	struct sigaction a = { .sa_sigaction = look, .sa_flags = SA_SIGINFO },
			 old;
	long result;

	CHECK(sigaction(SIGSEGV, &a, &old) == 0 && old.sa_handler == SIG_DFL);
	for (int i = 0; i < 100; i++) {
		/* mov (%rcx), %eax is two bytes. */
		__asm__ volatile("mov (%%rcx), %%eax" : "=a"(result)
				 : "c"(0x1234L), "0"(5L) : "memory");
		CHECK(result == 77 && seen_address == 0x1234);
	}
	CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_sigaction == look);
	CHECK(old.sa_flags & SA_SIGINFO);
}

static void case_once(void)
{
	struct sigaction old;
	pid_t pid;

	handle(SIGUSR1, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(count == 1);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
	pid = fork();
	if (pid == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK(WTERMSIG(wait_status(pid)) == SIGUSR1);
	pid = fork();
	if (pid == 0) {
		*(volatile int *)8 = 1;
		_exit(0);
	}
	CHECK(WTERMSIG(wait_status(pid)) == SIGSEGV);
	signal(SIGSEGV, SIG_IGN);
	raise(SIGSEGV);
	CHECK(sigaction(SIGSEGV, NULL, &old) == 0 && old.sa_handler == SIG_IGN);
}

static volatile double sum;

static void with_floats(int sig)
{
	double x = sig;

	for (int i = 0; i < 10; i++)
		x = x * 1.5 + i;
	sum += x;
	count++;
}

/* The floating point state survives handlers and hooks. */
static void case_floats(void)
{
	struct sigaction a = { .sa_handler = with_floats };
	struct itimerval often = { { 0, 200 }, { 0, 200 } };
	double x = 1;

	CHECK(sigaction(SIGALRM, &a, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	for (int i = 0; i < 200000; i++) {
		double a1 = x * 3, a2 = x * 5, a3 = x * 7, a4 = x * 11;

		if (i % 10 == 0)
			getppid();
		CHECK(a1 + a2 + a3 + a4 == x * 26);
		x = x < 1000 ? x + 1 : 1;
	}
	memset(&often, 0, sizeof(often));
	CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
	CHECK(count > 0);
}

static void case_pointers(void)
{
	struct sigaction *bad = (void *)16;

	CHECK(syscall(SYS_rt_sigaction, SIGUSR1, bad, NULL, 8) == -1 &&
	      errno == EFAULT);
	CHECK(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_rt_sigaction, 1, NULL, NULL, 4) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_rt_sigprocmask, 0, bad, NULL, 8) == -1 &&
	      errno == EFAULT);
	CHECK(syscall(SYS_rt_sigprocmask, 9, &bad, NULL, 8) == -1 &&
	      errno == EINVAL);
	CHECK(syscall(SYS_sigaltstack, bad, NULL) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, bad, NULL, NULL) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_execve, "", NULL, NULL) == -1 && errno == ENOENT);
	CHECK(syscall(SYS_execve, "/etc", NULL, NULL) == -1 && errno == EACCES);
	CHECK(syscall(SYS_execve, "/etc/passwd", NULL, NULL) == -1 &&
	      errno == EACCES);
	CHECK(syscall(SYS_execve, "/etc/passwd/x", NULL, NULL) == -1 &&
	      errno == ENOTDIR);
	CHECK(syscall(SYS_readlink, bad, bad, 10) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_uname, bad) == -1 && errno == EFAULT);
	CHECK(syscall(SYS_clock_gettime, 0, bad) == -1 && errno == EFAULT);
}

/* Code that is made while the program runs. */
static void case_jit(void)
{
	static const unsigned char code[] = {
		0xb8, 0x6e, 0, 0, 0,	/* mov $110 (getppid), %eax */
		0x0f, 0x05, 0xc3,	/* syscall; ret */
		0x31, 0xc0, 0xb0, 0x6e,	/* xor %eax, %eax; mov $110, %al */
		0x0f, 0x05, 0xc3,
		0x31, 0xc0, 0xb0, 0x6e, 0x0f, 0x05,
		0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xc3,	/* cmp; ret */
	};

	for (int i = 0; i < 50; i++) {
		unsigned char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		static const int starts[] = { 0, 8, 15 };

		memcpy(at, code, sizeof(code));
		CHECK(mprotect(at, 4096, PROT_READ | PROT_EXEC) == 0);
		for (int j = 0; j < 12; j++) {
			union { unsigned char *p; long (*f)(void); } u;

			u.p = at + starts[j % 3];
			CHECK(u.f() == getppid());
		}
		munmap(at, 4096);
	}
}

#ifndef STATIC
static void case_dlopen(void)
{
	for (int i = 0; i < 20; i++) {
		void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);

		CHECK(library && dlsym(library, "cos"));
		dlclose(library);
	}
}
#endif

static void case_exec(void)
{
	char *const none[] = { NULL }, *const args[] = { "other", "told", NULL };
	int fd, status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		fd = open(self, O_RDONLY | O_CLOEXEC);
		fexecve(fd, args, none);
		_exit(99);
	}
	status = wait_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void case_told(void)
{
	_exit(environ[0] == NULL ? 42 : 1);
}

/* execve() needs no descriptor, and closes some. */
static void case_nofiles(void)
{
	struct rlimit few = { 40, 40 };
	char *words[] = { "sh", "-c", "exit 7", NULL };
	int status = 0, file = 0;

	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	while (file >= 0)
		file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CHECK(errno == EMFILE);
	for (int spare = 0; spare < 3; spare++) {
		pid_t pid = vfork();

		if (pid == 0) {
			execv("/no/such", words);
			if (errno == ENOENT)
				execv("/bin", words);
			if (errno == EACCES)
				execv("/bin/sh", words);
			_exit(errno);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		close(39 - spare);
	}
}

/* As debuggers start programs: what else than SIGTRAP stops it is passed on. */
static void case_traced(void)
{
	int status = 0, sig = 0, traps = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execl("/bin/sh", "sh", "-c", "exit 7", NULL);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	while (WIFSTOPPED(status)) {
		traps += WSTOPSIG(status) == SIGTRAP;
		sig = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		CHECK(ptrace(PTRACE_CONT, pid, NULL, (long)sig) == 0);
		CHECK(waitpid(pid, &status, 0) == pid);
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(traps == 1);
}

static const struct named cases[] = {
	{ "fork", case_fork, false }, { "vfork", case_vfork, false },
	{ "spawn", case_spawn, false }, { "clone", case_clone, false },
	{ "threads", case_threads, false }, { "cancel", case_cancel, false },
	{ "storm", case_storm, false }, { "arrive", case_arrive, false },
	{ "suspend", case_suspend, false }, { "restart", case_restart, false },
	{ "jump", case_jump, false }, { "alt", case_alt, false },
	{ "ending", case_ending, false }, { "locked", case_locked, false },
	{ "full", case_full, false }, { "context", case_context, false },
	{ "once", case_once, false }, { "floats", case_floats, false },
	{ "pointers", case_pointers, false }, { "jit", case_jit, false },
	{ "exec", case_exec, false },
#ifndef STATIC
	{ "dlopen", case_dlopen, false },
#endif
	{ "nofiles", case_nofiles, false }, { "traced", case_traced, false },
	{ "told", case_told, true },
};

int main(int argc, char **argv)
{
	self = "/proc/self/exe";
	return RUN_CASES(cases, argc, argv);
}
