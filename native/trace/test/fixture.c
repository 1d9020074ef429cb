// SPDX-License-Identifier: Apache-2.0
/*
 * What is hard to trace, one case each. Run in an empty directory; prints one
 * line a case, the same whether traced or not. Built for amd64 and for i386.
 * The names that must turn up in the trace are those the cases use below the
 * directory; test/integration/native-trace.test.ts lists them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

extern char **environ;
static char self[4096], top[4096];

#define CHECK(x) do { if (!(x)) { printf("not ok %s:%d %s (%s)\n", __func__, \
	__LINE__, #x, strerror(errno)); return; } } while (0)

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, "data\n", 5) != 5)
		printf("not ok cannot make %s\n", path);
	close(fd);
}

static int reads(int fd)
{
	char b[8];
	int good = fd >= 0 && read(fd, b, 5) == 5;

	if (fd >= 0)
		close(fd);
	return good;
}

static int status_of(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void *in_chdir_thread(void *arg)
{
	return chdir(arg) == 0 ? arg : NULL;
}

static void case_thread_chdir(void)
{
	pthread_t t;
	void *r;

	CHECK(access("d-thread", F_OK) == 0);
	CHECK(pthread_create(&t, NULL, in_chdir_thread, "d-thread") == 0);
	CHECK(pthread_join(t, &r) == 0 && r);
	CHECK(reads(open("in-thread", O_RDONLY)));
	CHECK(chdir(top) == 0);
	puts("ok thread_chdir");
}

static void *touch_many(void *arg)
{
	char name[64];
	struct stat st;

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "absent-%ld-%d", (long)arg, i % 20);
		if (stat(name, &st) == 0)
			return NULL;
	}
	return arg ? arg : &self;
}

static void case_threads(void)
{
	pthread_t t[8];
	void *r;

	for (long i = 0; i < 8; i++)
		CHECK(pthread_create(&t[i], NULL, touch_many, (void *)i) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(pthread_join(t[i], &r) == 0 && r);
	puts("ok threads");
}

static void case_fchdir_dirfd(void)
{
	int dir = open("d-at", O_RDONLY | O_DIRECTORY);
	int home = open(".", O_PATH);

	CHECK(dir >= 0 && home >= 0);
	CHECK(reads(openat(dir, "by-dirfd", O_RDONLY)));
	CHECK(fchdir(dir) == 0);
	CHECK(reads(open("by-fchdir", O_RDONLY)));
	CHECK(reads(open("../d-at/../by-dotdot", O_RDONLY)));
	CHECK(fchdir(home) == 0);
	close(dir);
	close(home);
	puts("ok fchdir_dirfd");
}

static void case_chroot(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (chroot("jail") < 0 && errno == EPERM)
			_exit(0);
		if (chdir("/sub") < 0)
			_exit(1);
		_exit(!reads(open("/in-jail", O_RDONLY)) ||
		      !reads(open("rel-jail", O_RDONLY)) ||
		      !reads(open("../../../in-jail", O_RDONLY)) ||
		      open("/not-in-jail", O_RDONLY) >= 0 ||
		      !reads(open("/abs-link", O_RDONLY)));
	}
	CHECK(status_of(pid) == 0);
	puts("ok chroot");
}

static void case_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };
	int dir = open("d-at", O_PATH), fd;

	fd = (int)syscall(SYS_openat2, AT_FDCWD, "by-openat2", &how,
			  sizeof(how));
	CHECK(reads(fd));
	how.resolve = RESOLVE_IN_ROOT;
	fd = (int)syscall(SYS_openat2, dir, "/../by-in-root", &how,
			  sizeof(how));
	CHECK(reads(fd));
	close(dir);
	puts("ok openat2");
}

static void case_probes(void)
{
	struct statx stx;
	char b[64];
	struct stat st;

	CHECK(statx(AT_FDCWD, "only-statx", 0, STATX_TYPE, &stx) == 0);
	CHECK(access("only-access", R_OK) == 0);
	CHECK(readlink("only-readlink", b, sizeof(b)) == 6);
	CHECK(readlink("only-stat", b, sizeof(b)) == -1 && errno == EINVAL);
	CHECK(lstat("dangling", &st) == 0 && S_ISLNK(st.st_mode));
	CHECK(stat("dangling", &st) == -1 && errno == ENOENT);
	CHECK(open("dangling", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(open("only-stat/x", O_RDONLY) == -1 && errno == ENOTDIR);
	CHECK(open("override.conf", O_RDONLY) == -1 && errno == ENOENT);
	CHECK(getxattr("only-xattr", "user.none", b, sizeof(b)) == -1);
	puts("ok probes");
}

static void case_o_path(void)
{
	int fd = open("by-o-path", O_PATH);
	char link[64];

	CHECK(fd >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(reads(open(link, O_RDONLY)));
	snprintf(link, sizeof(link), "/dev/fd/%d", fd);
	CHECK(reads(open(link, O_RDONLY)));
	close(fd);
	puts("ok o_path");
}

static void case_exec(void)
{
	char *args[] = { self, (char *)"--hello", NULL };
	int fd, mem;
	char b[65536];
	ssize_t n;
	pid_t pid;

	fd = open("prog", O_RDONLY | O_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		execveat(fd, "", args, environ, AT_EMPTY_PATH);
		_exit(9);
	}
	CHECK(status_of(pid) == 0);
	mem = memfd_create("mem-prog", MFD_CLOEXEC);
	CHECK(mem >= 0);
	while ((n = read(fd, b, sizeof(b))) > 0)
		CHECK(write(mem, b, (size_t)n) == n);
	close(fd);
	pid = fork();
	if (pid == 0) {
		fexecve(mem, args, environ);
		_exit(9);
	}
	close(mem);
	CHECK(status_of(pid) == 0);
	CHECK(system("./script with args") == 5 << 8);
	pid = fork();
	if (pid == 0) {
		execl("./no-such-prog", "x", (char *)NULL);
		_exit(errno == ENOENT ? 0 : 1);
	}
	CHECK(status_of(pid) == 0);
	puts("ok exec");
}

static void *exec_now(void *arg)
{
	char *args[] = { self, (char *)"--hello", NULL };

	execv("prog-thread", args);
	return arg;
}

static void case_exec_thread(void)
{
	pid_t pid = fork();
	pthread_t t, other;

	if (pid == 0) {
		pthread_create(&other, NULL, touch_many, (void *)77);
		pthread_create(&t, NULL, exec_now, NULL);
		pthread_join(t, NULL);
		_exit(9);
	}
	CHECK(status_of(pid) == 0);
	puts("ok exec_thread");
}

static void case_spawn(void)
{
	char *args[] = { self, (char *)"--hello", NULL };
	pid_t pid;

	CHECK(posix_spawn(&pid, "prog", NULL, NULL, args, environ) == 0);
	CHECK(status_of(pid) == 0);
	pid = vfork();
	if (pid == 0) {
		execv("prog-vfork", args);
		_exit(9);
	}
	CHECK(status_of(pid) == 0);
	puts("ok spawn");
}

static void case_daemon(void)
{
	int p[2];
	char c = 0;
	pid_t pid;

	CHECK(pipe(p) == 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() != 0)
			_exit(0);
		close(p[0]);
		usleep(100000);
		c = reads(open("late.conf", O_RDONLY)) ? 'y' : 'n';
		_exit(write(p[1], &c, 1) != 1);
	}
	close(p[1]);
	CHECK(status_of(pid) == 0);
	CHECK(read(p[0], &c, 1) == 1 && c == 'y');
	close(p[0]);
	puts("ok daemon");
}

static void case_setuid(void)
{
	pid_t pid;

	if (geteuid() != 0) {
		puts("ok setuid");
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
			_exit(1);
		execl("prog-setuid", "x", "--euid", (char *)NULL);
		_exit(9);
	}
	CHECK(status_of(pid) == 0);
	pid = fork();
	if (pid == 0) {
		if (setresgid(1234, 1234, 1234) || setresuid(1234, 1234, 1234))
			_exit(1);
		_exit(open("secret", O_RDONLY) != -1 || errno != EACCES);
	}
	CHECK(status_of(pid) == 0);
	puts("ok setuid");
}

static void case_int80(void)
{
#ifdef __x86_64__
	char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long fd;

	CHECK(low != MAP_FAILED);
	strcpy(low, "by-int80");
	__asm__ volatile("int $0x80" : "=a"(fd)
			 : "0"(5L), "b"(low), "c"(0L), "d"(0L)
			 : "memory", "r8", "r9", "r10", "r11");
	if (fd != -ENOSYS)	/* a kernel without the ABI */
		CHECK(reads((int)fd));
	munmap(low, 4096);
#endif
	puts("ok int80");
}

static void case_names(void)
{
	static char longest[4200];
	size_t n;

	CHECK(reads(open("name \n\xff", O_RDONLY)));
	strcpy(longest, top);
	n = strlen(longest);
	while (n < 3990) {
		memcpy(longest + n, "/.", 2);
		n += 2;
	}
	strcpy(longest + n, "/long-name");
	CHECK(reads(open(longest, O_RDONLY)));
	memset(longest, 'x', 4150);
	CHECK(open(longest, O_RDONLY) == -1 && errno == ENAMETOOLONG);
	CHECK(syscall(SYS_open, (char *)1, O_RDONLY) == -1 && errno == EFAULT);
	puts("ok names");
}

static void case_page_end(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *at = m + page - 9;

	CHECK(m != MAP_FAILED && munmap(m + page, (size_t)page) == 0);
	memcpy(at, "page-end", 9);
	CHECK(reads(open(at, O_RDONLY)));
	munmap(m, (size_t)page);
	puts("ok page_end");
}

static void case_changes(void)
{
	int fd;

	put("made");
	put("made");
	CHECK(rename("made", "moved") == 0);
	CHECK(rename("moved", "replaced") == 0);
	CHECK(unlink("replaced") == 0);
	CHECK(truncate("cut", 0) == 0);
	CHECK(link("linked", "linked-2") == 0);
	CHECK(symlink("no/where", "soft") == 0 && unlink("soft") == 0);
	CHECK(mkdir("dir-made", 0700) == 0);
	CHECK(rename("dir-made", "dir-moved") == 0);
	CHECK(rmdir("dir-moved") == 0);
	CHECK(mkfifo("fifo-made", 0600) == 0 && unlink("fifo-made") == 0);
	fd = open("by-fd", O_RDONLY);
	CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && futimens(fd, NULL) == 0);
	close(fd);
	CHECK(chmod("meta", 0640) == 0);
	CHECK(utimensat(AT_FDCWD, "meta-time", NULL, 0) == 0);
	fd = open("new-excl", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0 && close(fd) == 0 && unlink("new-excl") == 0);
	puts("ok changes");
}

static void case_moved_cwd(void)
{
	CHECK(chdir("d-move") == 0);
	CHECK(access("inside", F_OK) == 0);
	CHECK(rename("../d-move", "../d-moved") == 0);
	CHECK(reads(open("inside", O_RDONLY)));
	CHECK(chdir(top) == 0 && rename("d-moved", "d-move") == 0);
	puts("ok moved_cwd");
}

static void case_sockets(void)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "sock" };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un abs = { .sun_family = AF_UNIX };
	int a = socket(AF_UNIX, SOCK_STREAM, 0);
	int b = socket(AF_UNIX, SOCK_STREAM, 0);
	int c = socket(AF_INET, SOCK_STREAM, 0);
	int d = socket(AF_UNIX, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	snprintf(abs.sun_path + 1, 40, "tranship-%d", (int)getpid());
	CHECK(bind(a, (void *)&un, sizeof(un)) == 0 && listen(a, 1) == 0);
	CHECK(connect(b, (void *)&un, sizeof(un)) == 0);
	CHECK(bind(c, (void *)&in, sizeof(in)) == 0 && listen(c, 1) == 0);
	CHECK(bind(d, (void *)&abs, offsetof(struct sockaddr_un, sun_path) +
		   20) == 0);
	close(a);
	close(b);
	close(c);
	close(d);
	CHECK(unlink("sock") == 0);
	puts("ok sockets");
}

static void case_group_stop(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		raise(SIGSTOP);
		_exit(reads(open("after-stop", O_RDONLY)) ? 3 : 4);
	}
	CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
	CHECK(WSTOPSIG(status) == SIGSTOP);
	CHECK(waitpid(pid, &status, WNOHANG | WUNTRACED) == 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitpid(pid, &status, WCONTINUED) == pid);
	if (WIFCONTINUED(status))
		status = status_of(pid);
	CHECK(status == 3 << 8);
	puts("ok group_stop");
}

static volatile sig_atomic_t ticks, traps;

static void on_tick(int sig)
{
	if (sig == SIGALRM)
		ticks = ticks + 1;
	else
		traps = traps + 1;
}

static void case_signals(void)
{
	struct itimerval it = { { 0, 300 }, { 0, 300 } }, off = { 0 };
	struct stat st;
	char name[40];

	signal(SIGALRM, on_tick);
	signal(SIGTRAP, on_tick);
	setitimer(ITIMER_REAL, &it, NULL);
	for (int i = 0; ticks < 20 || i < 2000; i++) {
		snprintf(name, sizeof(name), "storm-%d", i % 50);
		CHECK(stat(name, &st) == -1 && errno == ENOENT);
		CHECK(reads(open("storm", O_RDONLY)));
	}
	setitimer(ITIMER_REAL, &off, NULL);
	raise(SIGTRAP);
	CHECK(traps == 1);
	puts("ok signals");
}

static void case_killed(void)
{
	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();
		char name[40];

		if (pid == 0)
			for (int k = 0;; k++) {
				snprintf(name, sizeof(name), "gone-%d-%d", i, k);
				close(open(name, O_RDWR | O_CREAT, 0600));
				unlink(name);
			}
		usleep(500);
		kill(pid, SIGKILL);
		CHECK(status_of(pid) == SIGKILL);
	}
	puts("ok killed");
}

static void case_own_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 6, code };
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
			_exit(1);
		if (syscall(SYS_mkdir, "refused", 0700) != -1 ||
		    errno != EXDEV)
			_exit(2);
		if (syscall(SYS_getppid) != -1 || errno != ENOSYS)
			_exit(3);
		_exit(!reads(open("filtered", O_RDONLY)));
	}
	CHECK(status_of(pid) == 0);
	puts("ok own_filter");
}

static void case_affinity(void)
{
	cpu_set_t one, now;
	int want = -1;
	struct stat st;

	for (int i = 0; i < 3000; i++) {
		CHECK(stat("absent-status", &st) == -1);
		CHECK(sched_getaffinity(0, sizeof(now), &now) == 0);
		if (want < 0)
			want = CPU_COUNT(&now);
		CHECK(CPU_COUNT(&now) == want);
	}
	for (int i = 0; i < 30; i++) {
		pid_t pid;

		for (int k = 0; k < 10; k++)
			CHECK(stat("absent-status", &st) == -1);
		pid = fork();
		if (pid == 0) {
			sched_getaffinity(0, sizeof(one), &one);
			_exit(CPU_COUNT(&one) != want);
		}
		CHECK(status_of(pid) == 0);
	}
	puts("ok affinity");
}

static void case_list(void)
{
	int fd = open("d-list", O_RDONLY);
	char b[1024];

	CHECK(fd >= 0 && syscall(SYS_getdents64, fd, b, sizeof(b)) > 0);
	close(fd);
	puts("ok list");
}

static void *unshared(void *arg)
{
	if (unshare(CLONE_FS) < 0 || chdir("d-thread") < 0)
		return NULL;
	return reads(open("in-thread", O_RDONLY)) ? arg : NULL;
}

static void case_unshare_fs(void)
{
	pthread_t t;
	void *r;

	CHECK(pthread_create(&t, NULL, unshared, top) == 0);
	CHECK(pthread_join(t, &r) == 0 && r);
	CHECK(reads(open("still-here", O_RDONLY)));
	puts("ok unshare_fs");
}

static void case_untraced(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL,
				   NULL, NULL, NULL);

	if (pid == 0)
		_exit(!reads(open("untraced", O_RDONLY)));
	CHECK(pid > 0 && status_of(pid) == 0);
	puts("ok untraced");
}

static int there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0;
}

static void *own_table(void *arg)
{
	int dir = *(int *)arg, other;

	if (unshare(CLONE_FILES) < 0)
		return NULL;
	other = open("d-same/two", O_RDONLY | O_DIRECTORY);
	if (other < 0 || dup2(other, dir) < 0 || !there(dir, "by-thread"))
		return NULL;
	return arg;
}

/* One number names one directory after another. */
static void case_same_number(void)
{
	int dir = open("d-same/one", O_RDONLY | O_DIRECTORY);
	int two = open("d-same/two", O_RDONLY | O_DIRECTORY);
	pthread_t t;
	pid_t pid;
	void *r;

	CHECK(dir >= 0 && two >= 0 && there(dir, "first"));
	CHECK(there(dir, "again"));
	CHECK(dup2(two, dir) == dir && there(dir, "second"));
	CHECK(rename("d-same/two", "d-same/three") == 0);
	CHECK(there(dir, "moved"));
	CHECK(rename("d-same", "d-other") == 0 && there(dir, "above"));
	CHECK(rename("d-other", "d-same") == 0);
	CHECK(rename("d-same/three", "d-same/two") == 0);
	two = open("d-same/one", O_RDONLY | O_DIRECTORY);
	CHECK(dup2(two, dir) == dir && there(dir, "before"));
	pid = fork();
	if (pid == 0) {
		two = open("d-same/two", O_RDONLY | O_DIRECTORY);
		_exit(dup2(two, dir) != dir || !there(dir, "by-child"));
	}
	CHECK(status_of(pid) == 0);
	CHECK(pthread_create(&t, NULL, own_table, &dir) == 0);
	CHECK(pthread_join(t, &r) == 0 && r);
	CHECK(there(dir, "after"));
	puts("ok same_number");
}

int main(int argc, char **argv)
{
	static void (*const all[])(void) = {
		case_thread_chdir, case_threads, case_fchdir_dirfd,
		case_chroot, case_openat2, case_probes, case_o_path,
		case_exec, case_exec_thread, case_spawn, case_daemon,
		case_setuid, case_int80, case_names, case_page_end,
		case_changes, case_moved_cwd, case_sockets, case_group_stop,
		case_signals, case_killed, case_own_filter, case_affinity,
		case_list, case_unshare_fs, case_untraced, case_same_number,
	};

	if (argc > 1 && strcmp(argv[1], "--hello") == 0)
		return 0;
	if (argc > 1 && strcmp(argv[1], "--euid") == 0)
		return geteuid() == 0 && getuid() == 1234 ? 0 : 1;
	if (argc > 1 && strcmp(argv[1], "--kill") == 0)
		return raise(SIGTERM);
	setvbuf(stdout, NULL, _IONBF, 0);
	if (!getcwd(top, sizeof(top)) ||
	    readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		all[i]();
	return 42;
}
