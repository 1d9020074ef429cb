// SPDX-License-Identifier: Apache-2.0
/* Files whose presence would change what the program does. */
#include "check.h"

static void probe(const char *path)
{
	int fd = open(path, O_RDONLY);

	printf("%s %s\n", path, fd < 0 ? "is absent" : "CHANGES EVERYTHING");
	if (fd >= 0) {
		close(fd);
		check_failed = 1;
	}
}

int main(void)
{
	struct stat st;

	check_text("/etc/hard/main.conf", "main\n");
	check_text("/etc/alias/main.conf", "real\n");
	probe("/etc/hard/override.conf");
	probe("/etc/hard/override.d/first.conf");
	probe("/etc/alias/linked.conf");
	probe("/etc/hard/main.conf/below-a-file");
	if (stat("/etc/hard/disabled", &st) == 0) {
		puts("DISABLED");
		check_failed = 1;
	}
	/* Found in the second directory: one in the first would be taken. */
	check("PATH", system("helper") == 0);
	return check_failed;
}
