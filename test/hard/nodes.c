// SPDX-License-Identifier: Apache-2.0
/* A fifo, devices in a jail, and a socket that its program left behind. */
#include <stddef.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include "check.h"

static void device(const char *path, unsigned minor_number)
{
	struct stat st;
	char byte = 1;
	int fd = open(path, O_RDWR);

	check(path, lstat(path, &st) == 0 && S_ISCHR(st.st_mode) &&
			    st.st_rdev == makedev(1, minor_number) &&
			    (st.st_mode & 0777) == 0666);
	check("works", fd >= 0 && write(fd, &byte, 1) == 1);
	if (fd >= 0)
		close(fd);
}

int main(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX,
				  .sun_path = "/srv/nodes/run/socket" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct stat st;
	pid_t pid;

	check("fifo", lstat("/srv/nodes/fifo", &st) == 0 &&
			      S_ISFIFO(st.st_mode) &&
			      (st.st_mode & 0777) == 0620 && st.st_gid == 55);
	pid = fork();
	if (pid == 0) {
		int in = open("/srv/nodes/fifo", O_WRONLY);

		_exit(write(in, "through\n", 8) != 8);
	}
	check_text("/srv/nodes/fifo", "through\n");
	check_child("written", pid);
	device("/srv/nodes/jail/dev/null", 3);
	device("/srv/nodes/jail/dev/zero", 5);
	/* As daemons do at their start. */
	check("no server there", connect(fd, (struct sockaddr *)&at,
					 sizeof(at)) < 0);
	check("unlinked", unlink(at.sun_path) == 0 || errno == ENOENT);
	check("bound anew", bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0);
	return check_failed;
}
