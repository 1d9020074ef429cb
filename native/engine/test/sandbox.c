// SPDX-License-Identifier: Apache-2.0
/*
 * Seccomp filters that a program gives itself. Without words it lists its cases;
 * each prints what it met, which has to be the same natively and in the engine.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define NR BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IF(nr, what) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), \
	BPF_STMT(BPF_RET | BPF_K, what)
#define ELSE(what) BPF_STMT(BPF_RET | BPF_K, what)
#define OK(name) IF(SYS_##name, SECCOMP_RET_ALLOW)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define SAY(...) do { printf(__VA_ARGS__); fflush(stdout); } while (0)
#define FILTER(flags, ...) do { \
	struct sock_filter code[] = { __VA_ARGS__ }; \
	give(flags, code, COUNT(code)); } while (0)

static const char *self;
static volatile int hits, wrong;

static long give(unsigned long flags, struct sock_filter *code, size_t n)
{
	struct sock_fprog all = { (unsigned short)n, code };
	long result;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &all);
	if (result < 0) {
		SAY("seccomp %d\n", errno);
		exit(2);
	}
	return result;
}

/* Calls with and without a path, often enough to become jumps. */
static void ask(void)
{
	struct stat st;

	for (int i = 0; i < 8; i++) {
		errno = 0;
		int made = mkdir("/proc/none", 0700), e1 = errno;
		int opened = open("/proc/self/stat", O_RDONLY), e2 = errno;
		long parent = syscall(SYS_getppid), e3 = errno;

		SAY("%d %d, %d %d, %d %ld, %d\n", made, e1, opened >= 0, e2,
		    parent > 0, e3, stat("/", &st));
		if (opened >= 0)
			close(opened);
	}
}

static void errors(void)
{
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | ENOANO),
	       IF(SYS_getppid, SECCOMP_RET_ERRNO | EXFULL),
	       IF(SYS_openat, SECCOMP_RET_ERRNO | EACCES),
	       IF(SYS_open, SECCOMP_RET_ERRNO | EACCES), ELSE(SECCOMP_RET_ALLOW));
	ask();
}

/* As a server has it that only reads and writes any more. */
static void least(void)
{
	struct timespec moment = { 0, 1000 };
	char text[8] = "least\n";

	FILTER(0, NR, OK(write), OK(getpid), OK(ppoll), OK(nanosleep),
	       OK(clock_nanosleep), OK(exit_group), ELSE(SECCOMP_RET_KILL_PROCESS));
	for (int i = 0; i < 8; i++) {
		syscall(SYS_getpid);
		syscall(SYS_ppoll, NULL, 0, &moment, NULL, 8);
		syscall(SYS_nanosleep, &moment, NULL);
		syscall(SYS_write, 1, text, 6);
	}
	syscall(SYS_exit_group, 0);
}

static void on_timer(int sig)
{
	(void)sig;
	hits++;
}

/* Signals meet calls of a process that may make few. */
static void storm(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } };
	struct sigaction action = { .sa_handler = on_timer };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	FILTER(0, NR, OK(write), OK(getpid), OK(rt_sigreturn), OK(rt_sigprocmask),
	       OK(exit_group), ELSE(SECCOMP_RET_KILL_PROCESS));
	while (hits < 200) {
		sigset_t none;

		sigemptyset(&none);
		syscall(SYS_getpid);
		syscall(SYS_rt_sigprocmask, SIG_BLOCK, &none, NULL, 8);
	}
	syscall(SYS_write, 1, "storm\n", 6);
	syscall(SYS_exit_group, 0);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;

	hits++;
	if (sig != SIGSYS || info->si_code != 1 ||
	    (unsigned long)info->si_call_addr != (unsigned long)g[REG_RIP] ||
	    g[REG_RAX] != info->si_syscall || info->si_arch != AUDIT_ARCH_X86_64 ||
	    g[REG_RCX] != g[REG_RIP])
		wrong++;
	/* What stands in front of where it goes on is the call, or was. */
	if (info->si_syscall == SYS_mkdir &&
	    (g[REG_RSI] != 0700 || info->si_errno != 5))
		wrong++;
	g[REG_RAX] = -ENOANO;
}

static void take_traps(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &action, NULL);
}

static void traps(void)
{
	take_traps();
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_TRAP | 5),
	       IF(SYS_getppid, SECCOMP_RET_TRAP), IF(SYS_openat, SECCOMP_RET_TRAP),
	       IF(SYS_open, SECCOMP_RET_TRAP), ELSE(SECCOMP_RET_ALLOW));
	ask();
	SAY("hits %d wrong %d\n", hits, wrong);
}

static void child(void (*what)(void))
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		what();
		_exit(9);
	}
	waitpid(pid, &status, 0);
	SAY("status %x\n", status & 0xff7f);	/* without "core dumped" */
}

static void makes(void)
{
	mkdir("/proc/none", 0700);
}

static void counts(void)
{
	syscall(SYS_getppid);
}

static void opens(void)
{
	open("/proc/self/stat", O_RDONLY);
}

static void ends(void)
{
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_KILL_PROCESS),
	       IF(SYS_getppid, SECCOMP_RET_TRAP),
	       IF(SYS_openat, SECCOMP_RET_KILL_THREAD),
	       IF(SYS_open, SECCOMP_RET_KILL_THREAD), ELSE(SECCOMP_RET_ALLOW));
	child(makes);
	child(counts);
	child(opens);
	signal(SIGSYS, SIG_IGN);
	child(counts);
}

static void strictly(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	for (int i = 0; i < 6; i++)
		syscall(SYS_write, 1, "strict\n", 7);
	syscall(SYS_exit, 3);
}

static void strictly_not(void)
{
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
	syscall(SYS_getpid);
	syscall(SYS_exit, 3);
}

static void strict(void)
{
	child(strictly);
	child(strictly_not);
}

/* Two of them: the strictest counts. And by arguments. */
static void several(void)
{
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | ENOANO),
	       ELSE(SECCOMP_RET_ALLOW));
	FILTER(0, NR, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
	       BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
	       BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_WRONLY | O_RDWR, 0, 1),
	       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXFULL),
	       ELSE(SECCOMP_RET_ALLOW));
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | EBADE),
	       IF(SYS_uname, SECCOMP_RET_ERRNO | 0), ELSE(SECCOMP_RET_ALLOW));
	ask();
	for (int i = 0; i < 6; i++) {
		char room[400] = "";

		errno = 0;
		int fd = syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);

		SAY("%d %d %ld %d\n", fd, errno, syscall(SYS_uname, room), room[0]);
	}
	SAY("mode %d\n", prctl(PR_GET_SECCOMP));
}

static void inherits(void)
{
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | ENOANO),
	       IF(SYS_getppid, SECCOMP_RET_ERRNO | EXFULL), ELSE(SECCOMP_RET_ALLOW));
	FILTER(0, NR, IF(SYS_access, SECCOMP_RET_ERRNO | EBADE), ELSE(SECCOMP_RET_ALLOW));
	child(ask);
	execl(self, self, "inherited", NULL);
}

static void inherited(void)
{
	int highest = dup(0);

	SAY("next descriptor %d\n", highest);
	ask();
	errno = 0;
	SAY("%ld", syscall(SYS_access, "/", R_OK));
	SAY(" %d\n", errno);
	if (getenv("AGAIN"))
		return;
	setenv("AGAIN", "1", 1);
	close(highest);
	execl("/no/such", "x", NULL);
	execl(self, self, "inherited", NULL);
}

static int pipes[2];

static void *thread(void *unused)
{
	char c;

	(void)unused;
	read(pipes[0], &c, 1);
	for (int i = 0; i < 6; i++) {
		errno = 0;
		int made = mkdir("/proc/none", 0700), e = errno;

		SAY("%d %d\n", made, e);
	}
	return NULL;
}

static void together(void)
{
	pthread_t one;

	pipe(pipes);
	pthread_create(&one, NULL, thread, NULL);
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | ENOANO), ELSE(SECCOMP_RET_ALLOW));
	write(pipes[1], "x", 1);	/* a filter is its thread's */
	pthread_join(one, NULL);
	pthread_create(&one, NULL, thread, NULL);
	FILTER(SECCOMP_FILTER_FLAG_TSYNC, NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | EXFULL),
	       ELSE(SECCOMP_RET_ALLOW));
	write(pipes[1], "x", 1);
	pthread_join(one, NULL);
}

/* A supervisor answers calls, or lets them be made. */
static void *supervisor(void *fd)
{
	struct seccomp_notif ask;
	struct seccomp_notif_resp answer;

	for (;;) {
		memset(&ask, 0, sizeof(ask));
		if (ioctl((int)(long)fd, SECCOMP_IOCTL_NOTIF_RECV, &ask) < 0)
			return NULL;
		memset(&answer, 0, sizeof(answer));
		answer.id = ask.id;
		if (ask.data.nr == SYS_mkdir)
			answer.error = -ENOANO;
		else
			answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		if (ask.data.nr == SYS_mkdir && ask.data.args[1] != 0700)
			wrong++;
		hits++;
		ioctl((int)(long)fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

static void *supervised(void *unused)
{
	struct sock_filter code[] = { NR, IF(SYS_mkdir, SECCOMP_RET_USER_NOTIF),
		IF(SYS_getppid, SECCOMP_RET_USER_NOTIF), ELSE(SECCOMP_RET_ALLOW) };
	long fd = give(SECCOMP_FILTER_FLAG_NEW_LISTENER, code, COUNT(code));

	(void)unused;
	write(pipes[1], &fd, sizeof(fd));
	ask();
	return NULL;
}

static void notifies(void)
{
	pthread_t one, two;
	long fd = -1;

	pipe(pipes);
	pthread_create(&one, NULL, supervised, NULL);
	read(pipes[0], &fd, sizeof(fd));
	pthread_create(&two, NULL, supervisor, (void *)fd);
	pthread_join(one, NULL);
	SAY("hits %d wrong %d\n", hits, wrong);
}

static void traced(void)
{
	FILTER(0, NR, IF(SYS_mkdir, SECCOMP_RET_TRACE), IF(SYS_getppid, SECCOMP_RET_TRACE),
	       IF(SYS_uname, SECCOMP_RET_LOG), ELSE(SECCOMP_RET_ALLOW));
	ask();	/* nobody traces: ENOSYS */
}

/* Who may all needs no promise not to become more. */
static void unasked(void)
{
	struct sock_filter code[] = { NR, IF(SYS_mkdir, SECCOMP_RET_ERRNO | ENOANO),
				      ELSE(SECCOMP_RET_ALLOW) };
	struct sock_fprog all = { COUNT(code), code };

	errno = 0;
	SAY("%d", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all));
	SAY(" %d\n", errno);
	ask();
}

static void refused(void)
{
	struct sock_filter code[] = { NR, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3),
				      ELSE(SECCOMP_RET_ALLOW) };
	struct sock_filter open_end[] = { NR };
	struct sock_fprog all = { COUNT(code), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	SAY("%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all), errno);
	all = (struct sock_fprog){ 1, open_end };
	SAY("%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all), errno);
	all = (struct sock_fprog){ 0, open_end };
	SAY("%d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all), errno);
	all = (struct sock_fprog){ 3, (struct sock_filter *)16 };
	SAY("%d %d\n", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all), errno);
	SAY("%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 16), errno);
	SAY("%ld %d\n", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 1U << 30, &all),
	    errno);
	SAY("%ld %d\n", syscall(SYS_seccomp, 77, 0, NULL), errno);
	ask();
}

static void mode(void)
{
	for (int i = 0; i < 6; i++)
		SAY("%d ", prctl(PR_GET_SECCOMP));
	FILTER(0, ELSE(SECCOMP_RET_ALLOW));
	for (int i = 0; i < 6; i++)
		SAY("%d ", prctl(PR_GET_SECCOMP));
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "errors", errors }, { "least", least }, { "storm", storm },
	{ "traps", traps }, { "ends", ends }, { "strict", strict },
	{ "several", several }, { "inherits", inherits }, { "together", together },
	{ "notifies", notifies }, { "traced", traced }, { "refused", refused },
	{ "unasked", unasked }, { "mode", mode },
};

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1 && strcmp(argv[1], "inherited") == 0) {
		inherited();
		return 0;
	}
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (argc < 2)
			puts(cases[i].name);
		else if (strcmp(argv[1], cases[i].name) == 0)
			cases[i].run();
	}
	return 0;
}
