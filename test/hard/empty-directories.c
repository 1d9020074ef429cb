// SPDX-License-Identifier: Apache-2.0
/* Empty directories in which an ordinary user writes: spool, log, and one in a /run that is made anew at each start. */
#include "check.h"

static void writes(const char *dir, mode_t mode, uid_t uid, gid_t gid)
{
	char path[300];
	struct stat st;
	int fd;

	check(dir, stat(dir, &st) == 0 && (st.st_mode & 07777) == mode &&
			   st.st_uid == uid && st.st_gid == gid);
	snprintf(path, sizeof(path), "%s/new", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	check("writes there", fd >= 0);
}

int main(void)
{
	check("an ordinary user", setgid(33) == 0 && setuid(33) == 0);
	writes("/var/spool/hard/queue", 0750, 33, 33);
	writes("/var/log/hard", 02770, 0, 33);
	writes("/run/hard", 0755, 33, 33);
	return check_failed;
}
