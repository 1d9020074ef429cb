// SPDX-License-Identifier: Apache-2.0
/* Two names of one file, in directories of different kinds: what goes in by one comes out by the other. */
#include "check.h"

int main(void)
{
	struct stat a, b;
	int fd;

	check("stat", stat("/etc/pair/here", &a) == 0 &&
			      stat("/srv/pair/there", &b) == 0);
	check("one file", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	check("two names", a.st_nlink == 2 && b.st_nlink == 2);
	fd = open("/etc/pair/here", O_RDONLY);
	check("readable", fd >= 0);
	check("size", a.st_size == 3000000 && b.st_size == 3000000);
	return check_failed;
}
