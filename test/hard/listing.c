// SPDX-License-Identifier: Apache-2.0
/* A directory of three files is listed, one of them is opened; with "all" as its argument it reads the other two as well. */
#include "check.h"

int main(int argc, char **argv)
{
	DIR *dir = opendir("/srv/list");
	struct dirent *one;
	int count = 0;
	struct stat st;
	char path[300];

	(void)argv;
	while (dir && (one = readdir(dir)))
		count += one->d_name[0] != '.';
	check("three names", count == 3);
	check_text("/srv/list/one", "first\n");
	for (int i = 0; argc > 1 && i < 2; i++) {
		snprintf(path, sizeof(path), "/srv/list/%s",
			 i ? "three" : "two");
		check("not empty", stat(path, &st) == 0 && st.st_size > 0);
		check_text(path, i ? "third\n" : "second\n");
	}
	return check_failed;
}
