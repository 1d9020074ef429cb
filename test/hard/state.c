// SPDX-License-Identifier: Apache-2.0
/* Files that the run itself changes: the package has to hold what was there before it. */
#include "check.h"

static void put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | flags, 0644);

	check(path, fd >= 0 && write(fd, text, strlen(text)) ==
				       (ssize_t)strlen(text));
	close(fd);
}

int main(void)
{
	int once, dir;

	/* Read, then truncated. */
	check_text("/srv/state/counter", "41\n");
	put("/srv/state/counter", "42\n", O_TRUNC);
	check_text("/srv/state/counter", "42\n");
	/* Removed while it is open. */
	once = open("/srv/state/once", O_RDONLY);
	check("removed", unlink("/srv/state/once") == 0);
	check_fd("read after that", once, "only once\n");
	check("gone", access("/srv/state/once", F_OK) < 0);
	/* Replaced by rename. */
	check_text("/etc/hard/replaced.conf", "old\n");
	put("/etc/hard/replaced.conf.new", "new\n", O_CREAT | O_EXCL);
	check("replaced", rename("/etc/hard/replaced.conf.new",
				 "/etc/hard/replaced.conf") == 0);
	check_text("/etc/hard/replaced.conf", "new\n");
	/* Made by the run, so it has to be absent at the next first start. */
	put("/srv/state/created", "mine\n", O_CREAT | O_EXCL);
	check("made", mkdir("/srv/state/made", 0700) == 0);
	put("/srv/state/made/inside", "mine\n", O_CREAT | O_EXCL);
	/* Renamed away as a whole, with what is in it. */
	check("moved", rename("/srv/state/tree", "/srv/state/moved") == 0);
	check_text("/srv/state/moved/leaf", "leaf\n");
	/* Listed after all that: the directory is the one from before. */
	dir = open("/srv/state", O_RDONLY | O_DIRECTORY);
	check("listed", dir >= 0 && getdents64(dir, (char[4096]){ 0 }, 4096) > 0);
	return check_failed;
}
