// SPDX-License-Identifier: Apache-2.0
/* Symbolic links: chains of relative and absolute ones, through directories, and one that leads nowhere. */
#include "check.h"

static void leads(const char *path, const char *target)
{
	char have[300];
	ssize_t n = readlink(path, have, sizeof(have) - 1);

	if (n >= 0)
		have[n] = '\0';
	check(path, n >= 0 && strcmp(have, target) == 0);
}

int main(void)
{
	struct stat st;

	check_text("/srv/links/first/file", "at the end\n");
	check_text("/srv/links/absolute", "at the end\n");
	check_text("/srv/links/../links/first/../real/file", "at the end\n");
	leads("/srv/links/first", "second");
	leads("/srv/links/second", "../links/real");
	leads("/srv/links/absolute", "/srv/links/first/file");
	leads("/srv/links/nowhere", "/does/not/exist");
	leads("/srv/links/odd", "real/.//file");
	check("dangles", stat("/srv/links/nowhere", &st) < 0 && errno == ENOENT);
	return check_failed;
}
