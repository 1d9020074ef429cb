// SPDX-License-Identifier: Apache-2.0
/* A file of 64 MiB that is mostly a hole. */
#include "check.h"

int main(void)
{
	static char page[4096], zero[4096];
	int fd = open("/srv/sparse", O_RDONLY);
	struct stat st;

	check("opened", fd >= 0 && fstat(fd, &st) == 0);
	check("64 MiB", st.st_size == 64 << 20);
	check("mostly a hole", st.st_blocks * 512 < 8 << 20);
	check("start", pread(fd, page, 5, 0) == 5 && !memcmp(page, "start", 5));
	check("hole", pread(fd, page, 4096, 32 << 20) == 4096 &&
			      !memcmp(page, zero, 4096));
	check("end", pread(fd, page, 3, (64 << 20) - 3) == 3 &&
			     !memcmp(page, "end", 3));
	return check_failed;
}
