// SPDX-License-Identifier: Apache-2.0
/* Relative names: after fchdir, after chdir in another thread, by a directory's descriptor, inside chroot. */
#include <pthread.h>
#include "check.h"

static void *elsewhere(void *path)
{
	return chdir(path) == 0 ? path : NULL;
}

int main(void)
{
	int dir = open("/srv/rel/by-fd", O_PATH | O_DIRECTORY);
	pthread_t thread;
	void *moved;
	pid_t pid;

	check_fd("by descriptor", openat(dir, "at", O_RDONLY), "at\n");
	check_fd("upwards", openat(dir, "../up", O_RDONLY), "up\n");
	check("fchdir", fchdir(dir) == 0);
	check_text("fchdir-file", "fchdir\n");
	check("thread", pthread_create(&thread, NULL, elsewhere,
				       "/srv/rel/by-thread") == 0 &&
				pthread_join(thread, &moved) == 0 && moved);
	check_text("thread-file", "thread\n");
	check("chdir", chdir("/srv/rel/link") == 0);
	check_text("../up", "up\n");
	pid = fork();
	if (pid == 0) {
		if (chroot("/srv/rel/jail") < 0 || chdir("/") < 0)
			_exit(9);
		check_text("/etc/in.conf", "jailed\n");
		check_text("/absolute", "jailed\n");
		check_fd("out of the jail", openat(dir, "late", O_RDONLY),
			 "late\n");
		_exit(check_failed);
	}
	check_child("chroot", pid);
	return check_failed;
}
