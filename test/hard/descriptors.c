// SPDX-License-Identifier: Apache-2.0
/* Files opened by openat2, by O_PATH and /proc/self/fd, and programs started by descriptor and from memory. */
#include <linux/openat2.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include "check.h"

extern char **environ;

static void starts(const char *what, int fd, int by_name)
{
	char *args[] = { "said", (char *)what, NULL };
	pid_t pid = fork();

	if (pid == 0) {
		if (by_name)
			syscall(SYS_execveat, fd, "said", args, environ, 0);
		else
			fexecve(fd, args, environ);
		_exit(9);
	}
	check_child(what, pid);
}

int main(int argc, char **argv)
{
	struct open_how how = { .flags = O_RDONLY,
				.resolve = RESOLVE_IN_ROOT };
	int dir = open("/srv/fds", O_PATH | O_DIRECTORY);
	int path, program, memory;
	char name[64];
	struct stat st;

	if (argc > 1) {
		printf("ok started as %s\n", argv[1]);
		return 0;
	}
	check_fd("openat2", (int)syscall(SYS_openat2, dir, "/inside", &how,
					 sizeof(how)), "inside\n");
	path = open("/srv/fds/by-path", O_PATH);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", path);
	check_text(name, "by path\n");
	program = open("/srv/fds/program", O_RDONLY | O_CLOEXEC);
	starts("fexecve", program, 0);
	starts("execveat", dir, 1);
	program = open("/srv/fds/from-memory", O_RDONLY);
	memory = memfd_create("program", MFD_CLOEXEC);
	check("copied", fstat(program, &st) == 0 &&
				sendfile(memory, program, NULL,
					 (size_t)st.st_size) == st.st_size);
	starts("memory", memory, 0);
	return check_failed;
}
