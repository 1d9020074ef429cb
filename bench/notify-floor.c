// SPDX-License-Identifier: Apache-2.0
/*
 * notify-floor CMD...
 *
 * Runs CMD under a filter whose listener lets every call run and records
 * nothing: what any supervisor of these calls costs at the least. The calls
 * are those that native/trace tells its listener of, all opens included. Where
 * the kernel can, the task is woken on the listener's processor.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SET_FLAGS SECCOMP_IOW(4, __u64)
#define SYNC_WAKE_UP 1UL
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* amd64: open, openat, openat2, stat, lstat, newfstatat, statx, access,
 * faccessat, faccessat2, readlink, readlinkat, getxattr and kin. */
static const unsigned calls[] = { 2, 257, 437, 4, 6, 262, 332, 21, 269, 439,
				  89, 267, 191, 192, 194, 195 };
static sigjmp_buf away;
static volatile sig_atomic_t sleeping, ended;

__attribute__((noreturn)) static void fail(const char *what)
{
	perror(what);
	_exit(125);
}

static int install(void)
{
	struct sock_filter code[COUNT(calls) + 3];
	unsigned n = 0;
	struct sock_fprog program = { .filter = code };

	code[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < COUNT(calls); i++)
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, calls[i],
			(unsigned char)(COUNT(calls) - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						 SECCOMP_RET_USER_NOTIF);
	program.len = (unsigned short)n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_SPEC_ALLOW |
			    SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* Without privileges to pass: the listener is fetched by its number. */
static int fetch(pid_t pid, const volatile int *number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	while (*number == 0)
		usleep(50);
	return (int)syscall(SYS_pidfd_getfd, pidfd, *number, 0);
}

static void on_child(int sig)
{
	(void)sig;
	ended = 1;
	if (sleeping) {
		sleeping = 0;
		siglongjmp(away, 1);
	}
}

static void answer(int listener)
{
	static struct seccomp_notif told;
	static struct seccomp_notif_resp said = {
		.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	memset(&told, 0, sizeof(told));
	if (sigsetjmp(away, 0) == 0) {
		sleeping = 1;
		if (!ended)
			ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &told);
		sleeping = 0;
	}
	if (told.pid == 0)
		return;
	said.id = told.id;
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
}

int main(int argc, char **argv)
{
	struct sigaction child = { .sa_handler = on_child,
				   .sa_flags = SA_NODEFER | SA_NOCLDSTOP };
	volatile int *shared;
	int listener, status;
	pid_t pid;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (argc < 2 || shared == MAP_FAILED)
		fail("notify-floor");
	pid = fork();
	if (pid == 0) {
		listener = install();
		/* -1 is no descriptor: the parent is told so and ends. */
		shared[0] = listener;
		if (listener < 0)
			fail("seccomp");
		while (shared[1] == 0)
			usleep(50);
		close(listener);
		execvp(argv[1], argv + 1);
		fail(argv[1]);
	}
	listener = fetch(pid, shared);
	if (listener < 0)
		fail("listener");
	ioctl(listener, SET_FLAGS, SYNC_WAKE_UP);
	sigaction(SIGCHLD, &child, NULL);
	shared[1] = 1;
	for (;;) {
		answer(listener);
		if (!ended)
			continue;
		ended = 0;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
	}
}
