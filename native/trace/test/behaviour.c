// SPDX-License-Identifier: Apache-2.0
/*
 * What a tracer could change in a program's behaviour, one case each, named by
 * the argument. Prints what the program is told, which is to be the same
 * whether traced or not; test/integration/native-trace-behaviour.test.ts
 * knows the exceptions.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	(void)sig;
	ticks = ticks + 1;
}

static void tick_every(suseconds_t us, suseconds_t again)
{
	struct itimerval it = { { 0, again }, { 0, us } };

	setitimer(ITIMER_REAL, &it, NULL);
}

/* Signals whose handler was set without SA_RESTART: a call that the kernel
 * would not interrupt must not be interrupted by the tracer either. */
static void case_storm(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	int odd = 0, fd;
	struct stat st;
	char name[40];

	sigaction(SIGALRM, &sa, NULL);
	tick_every(150, 150);
	for (int i = 0; ticks < 1500; i++) {
		snprintf(name, sizeof(name), "absent-%d", i % 100);
		odd += stat(name, &st) != -1 || errno != ENOENT;
		odd += access("/", X_OK) != 0;
		fd = open("/dev/null", O_RDONLY);
		odd += fd < 0;
		close(fd);
		odd += readlink("/proc/self/exe", name, sizeof(name)) < 0;
	}
	tick_every(0, 0);
	printf("storm: %d odd answers\n", odd);
}

/* The open() of a FIFO does sleep: its EINTR is the program's own. */
static void case_fifo(void)
{
	struct sigaction sa = { .sa_handler = on_tick };
	int told = 0;

	sigaction(SIGALRM, &sa, NULL);
	if (mkfifo("fifo", 0600) < 0)
		return;
	for (int i = 0; i < 5; i++) {
		tick_every(20000, 0);
		told += open("fifo", O_RDONLY) == -1 && errno == EINTR;
	}
	unlink("fifo");
	printf("fifo: interrupted %d times\n", told);
}

static void case_listener(void)
{
	struct sock_filter all[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 1, all };
	long fd;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog);
	printf("listener: %s\n", fd >= 0 ? "given" : strerror(errno));
}

static void case_ptrace(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	printf("ptrace: %s\n", WIFSTOPPED(status) ? "works" : "refused");
	if (WIFSTOPPED(status)) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

static void *killed_thread(void *arg)
{
	struct stat st;

	for (;;)
		stat("absent", &st);
	return arg;
}

/* Threads that wait for the tracer's word while their process execs. */
static void case_exec(char *self)
{
	pthread_t t;

	fflush(stdout);
	for (int i = 0; i < 4; i++)
		pthread_create(&t, NULL, killed_thread, NULL);
	usleep(20000);
	execl(self, self, "after-exec", (char *)NULL);
}

/* Forks, waits and signals across processes, many at once. */
static void case_family(void)
{
	static volatile int sum, i;
	int status;

	for (i = 0; i < 60; i++) {
		pid_t pid = i % 3 == 0 ? vfork() : fork();

		if (pid == 0 && i % 3 == 1)
			raise(SIGUSR1);
		if (pid == 0)
			_exit(i);
		if (i % 10 == 9)
			while (wait(&status) > 0)
				sum += WIFSIGNALED(status) ? 1000
							   : WEXITSTATUS(status);
	}
	printf("family: %d\n", sum);
}

static void case_stop(void)
{
	int status = 0, stops = 0;
	struct stat st;
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			stat("absent", &st);
	for (int i = 0; i < 50; i++) {
		kill(pid, SIGSTOP);
		stops += waitpid(pid, &status, WUNTRACED) == pid &&
			 WIFSTOPPED(status);
		kill(pid, SIGCONT);
		while (waitpid(pid, &status, WCONTINUED) != pid)
			;
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	printf("stop: %d stops, ended by %d\n", stops, WTERMSIG(status));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {
		{ "storm", case_storm }, { "fifo", case_fifo },
		{ "listener", case_listener }, { "ptrace", case_ptrace },
		{ "family", case_family }, { "stop", case_stop },
	};

	if (argc > 1 && strcmp(argv[1], "exec") == 0)
		case_exec(argv[0]);
	if (argc > 1 && strcmp(argv[1], "after-exec") == 0)
		puts("exec: alone");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (argc > 1 && strcmp(argv[1], cases[i].name) == 0)
			cases[i].run();
	return 0;
}
