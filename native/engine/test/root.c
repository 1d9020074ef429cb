// SPDX-License-Identifier: Apache-2.0
/*
 * What chroot() does, one result a line. The working directory is the tree of
 * files.test.ts, and app/prog in it is this program.
 *   root           the calls
 *   root user      those of a user without the capability
 *   root again     what a program sees that was started below another root
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void told(const char *what, long result)
{
	printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
	fflush(stdout);
}

static void content(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0) {
		told(path, -1);
		return;
	}
	printf("%s \"%.*s\"\n", path, (int)strcspn(text, "\n"), text);
	close(fd);
}

static void where(void)
{
	char text[4096] = "";
	long n = syscall(SYS_getcwd, text, sizeof(text));

	printf("in %s %ld\n", text, n);
}

static void look(void)
{
	static const char *const paths[] = { "/file", "/../../file", "/dir/deep",
		"/link", "/abs", "/root-link", "/plain", "/app/file", "file",
		"plain", "../plain", "../tree/plain", "/dir/../../../dir/deep",
		"/proc/self/stat", "/etc/passwd", "/one", "/ro/file" };

	where();
	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		content(paths[i]);
}

static void start(const char *file, int fd)
{
	char *words[] = { "prog", "again", NULL }, *none[] = { NULL };
	int status = 0;
	pid_t pid;

	printf("start %s\n", file);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (fd < 0)
			execve(file, words, none);
		else
			syscall(SYS_execveat, fd, file, words, none, AT_EMPTY_PATH);
		told("execve", -1);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	printf("ended %x\n", status);
}

/* A root in a child of vfork() is its own. */
static void in_vfork(void)
{
	volatile long result = 0, seen = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		result = chroot("/dir");
		seen = access("/deep", F_OK);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	printf("vfork %ld %ld\n", result, seen);
	content("/deep");
	content("/file");
}

static void in_fork(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		content("/file");
		told("chroot of a child", chroot("/dir"));
		content("/deep");
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	content("/file");
}

static void *enter(void *path)
{
	told("chroot of a thread", chroot(path));
	return NULL;
}

static void in_thread(const char *path)
{
	pthread_t thread;

	pthread_create(&thread, NULL, enter, (void *)path);
	pthread_join(thread, NULL);
}

static void sockets(void)
{
	struct sockaddr_un a = { AF_UNIX, "/dir/socket" };
	int server = socket(AF_UNIX, SOCK_STREAM, 0),
	    client = socket(AF_UNIX, SOCK_STREAM, 0);

	told("bind", bind(server, (void *)&a, sizeof(a)));
	told("listen", listen(server, 1));
	told("connect", connect(client, (void *)&a, sizeof(a)));
	told("unlink", unlink(a.sun_path));
}

static void changes(void)
{
	told("mkdir", mkdir("/made", 0755));
	told("rename", rename("/made", "/../made2"));
	told("symlink", symlink("/dir", "/made2/s"));
	content("/made2/s/deep");
	told("link", link("/file", "/made2/l"));
	told("chdir", chdir("/made2/s/.."));
	where();
	told("unlink", unlink("/made2/l"));
	told("unlink", unlink("/made2/s"));
	told("rmdir", rmdir("../made2"));
}

/* As a program breaks out of a root that it did not enter. */
static void break_out(int tree)
{
	told("fchdir", fchdir(tree));
	where();
	content("plain");
	told("chroot .", chroot("."));
	look();
	told("chroot dir", chroot("dir"));
	content("/x");
	told("chdir", chdir("../../../../../../../.."));
	where();
	told("chroot .", chroot("."));
	where();
	told("stat", access("/etc/passwd", F_OK));
	told("fchdir", fchdir(tree));
	content("plain");
}

static void errors(void)
{
	told("nothing", chroot("gone"));
	told("file", chroot("plain"));
	told("file/", chroot("app/file/x"));
	told("empty", chroot(""));
	told("null", syscall(SYS_chroot, 0));
	told("hidden", chroot("secret"));
	told("loop", chroot("app/loop"));
}

static int as_user(void)
{
	errors();
	told("closed", chroot("closed"));
	told("tree", chroot("."));
	told("app", chroot("app"));
	told("root", chroot("/"));
	content("app/file");
	return 0;
}

int main(int argc, char **argv)
{
	char link[64];
	int tree, fd;

	if (argc > 1 && strcmp(argv[1], "user") == 0)
		return as_user();
	if (argc > 1) {
		printf("again %s\n", argv[argc - 2]);
		look();
		return 0;
	}
	errors();
	tree = open(".", O_RDONLY | O_DIRECTORY);
	fd = open("app/prog", O_PATH | O_CLOEXEC);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", tree);
	told("chroot of a link of /proc", chroot(link));
	content("/plain");
	told("chroot app", chroot("app"));
	look();
	told("chdir", chdir("/"));
	look();
	in_fork();
	in_vfork();
	changes();
	sockets();
	start("/prog", -1);
	start("/script", -1);
	start("dir", -1);
	start("/gone", -1);
	start("", fd);
	in_thread("/dir");
	content("/deep");
	content("/file");
	break_out(tree);
	return 0;
}
