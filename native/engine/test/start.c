// SPDX-License-Identifier: Apache-2.0
/* execve() as it is: spawning libraries give what is no program to a shell. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc > 1)
		execv(argv[1], argv + 1);
	perror(argv[argc - 1]);
	return 126;
}
