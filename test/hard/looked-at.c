// SPDX-License-Identifier: Apache-2.0
/* Files of which only the type, the mode or the presence is asked. */
#include "check.h"

static void typed(const char *path, mode_t mode)
{
	struct stat st;

	check(path, lstat(path, &st) == 0 && st.st_mode == mode);
}

int main(void)
{
	struct statx sx;

	typed("/srv/seen/file", S_IFREG | 0640);
	typed("/srv/seen/dir", S_IFDIR | 0711);
	typed("/srv/seen/link", S_IFLNK | 0777);
	check("statx", statx(AT_FDCWD, "/srv/seen/statx", 0, STATX_ALL, &sx) == 0 &&
			       sx.stx_mode == (S_IFREG | 0604) &&
			       sx.stx_size == 5);
	check("access", access("/srv/seen/program", X_OK) == 0);
	check("access, not to be run", access("/srv/seen/plain", F_OK) == 0 &&
					       access("/srv/seen/plain", X_OK) < 0);
	check("faccessat2", syscall(439, AT_FDCWD, "/srv/seen/late", R_OK,
				    AT_EACCESS) == 0);
	return check_failed;
}
