// SPDX-License-Identifier: Apache-2.0
/* A static program: nothing but the kernel tells what it opens. Also an interpreter: prints the arguments that a script gives it. */
#include "check.h"

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	printf("%s", name ? name + 1 : argv[0]);
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	puts("");
	check_text("/srv/scripts/text", "kept\n");
	return check_failed;
}
