// SPDX-License-Identifier: Apache-2.0
/* Owners and modes, and a program that gains root by its set-user-ID bit, also while it is traced. */
#include "check.h"

static void owned(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	check(path, stat(path, &st) == 0 && (st.st_mode & 07777) == mode &&
			    st.st_uid == uid && st.st_gid == gid);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc > 1) {
		check("gained root", geteuid() == 0 && getuid() == 1234);
		check("gained the group", getegid() == 55);
		check_text("/srv/own/secret-ish", "only for root\n");
		return check_failed;
	}
	owned("/srv/own/file", 0640, 1234, 1234);
	owned("/srv/own/sticky", 01777, 0, 0);
	owned("/srv/own/group", 02775, 0, 1234);
	owned("/srv/own/gain", 06755, 0, 55);
	owned("/srv/own/large", 0600, 100000, 4000000000u);
	pid = fork();
	if (pid == 0) {
		if (setgid(1234) < 0 || setuid(1234) < 0)
			_exit(9);
		execl("/srv/own/gain", "gain", "inside", (char *)NULL);
		_exit(8);
	}
	check_child("set-user-ID program", pid);
	(void)argv;
	return check_failed;
}
