// SPDX-License-Identifier: Apache-2.0
/* Everything that uses clone, clone3 and vfork: threads, posix_spawn, system, vfork. A tracer that does not know them kills the program. */
#include <linux/sched.h>
#include <pthread.h>
#include <spawn.h>
#include "check.h"

extern char **environ;

static void *reads(void *path)
{
	int fd = open(path, O_RDONLY);
	char byte;
	void *good = fd >= 0 && read(fd, &byte, 1) == 1 ? path : NULL;

	close(fd);
	return good;
}

int main(void)
{
	struct clone_args args = { .exit_signal = 17 };
	char *words[] = { "helper", NULL };
	pthread_t threads[16];
	char paths[16][32];
	int good = 1;
	void *result;
	pid_t pid;

	for (int i = 0; i < 16; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/srv/start/thread-%d", i);
		good &= pthread_create(&threads[i], NULL, reads, paths[i]) == 0;
	}
	for (int i = 0; i < 16; i++)
		good &= pthread_join(threads[i], &result) == 0 && result;
	check("threads", good);
	good = posix_spawn(&pid, "/srv/start/helper", NULL, NULL, words,
			   environ) == 0;
	check_child("posix_spawn", good ? pid : -1);
	check("system", system("/srv/start/helper") == 0);
	pid = vfork();
	if (pid == 0) {
		execve("/srv/start/helper", words, environ);
		_exit(9);
	}
	check_child("vfork", pid);
	/* Container runtimes refuse it, and libraries fall back, as here. */
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0 && errno == ENOSYS)
		pid = fork();
	if (pid == 0)
		_exit(access("/srv/start/by-clone3", R_OK) != 0);
	check_child("clone3", pid);
	for (int i = 0; i < 200 && good; i++) {
		pid = fork();
		if (pid == 0)
			_exit(0);
		good = waitpid(pid, NULL, 0) == pid;
	}
	check("two hundred children", good);
	return check_failed;
}
