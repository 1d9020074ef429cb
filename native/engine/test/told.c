// SPDX-License-Identifier: Apache-2.0
/* What a program is told at its start, one thing a line. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;
static char zeros[70000];	/* a bss of many pages */

static void print_file(const char *name, const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY);
	long n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	for (long i = 0; i + 1 < n; i++)
		if (!text[i])
			text[i] = ' ';
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	printf("%s %s\n", name, text);
	close(fd);
}

static int same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

int main(int argc, char **argv)
{
	char link[4096] = "", comm[17] = "";
	int clear = 1;

	for (int i = 0; i < argc; i++)
		printf("argv %s\n", argv[i]);
	for (int i = 0; environ[i]; i++)
		printf("env %s\n", environ[i]);
	printf("execfn %s\n", (const char *)getauxval(AT_EXECFN));
	printf("headers %lu\n", getauxval(AT_PHNUM));
	printf("entry %s\n", *(unsigned char *)getauxval(AT_ENTRY) ? "mapped" : "");
	prctl(PR_GET_NAME, comm);
	printf("comm %s\n", comm);
	if (readlink("/proc/self/exe", link, sizeof(link) - 1) > 0)
		printf("exe %s\n", link);
	printf("exe is %s\n", same_file("/proc/self/exe", link) ? "it" : "other");
	print_file("cmdline", "/proc/self/cmdline");
	for (unsigned long i = 0; i < sizeof(zeros); i++)
		clear = clear && !zeros[i];
	printf("bss %s\n", clear ? "clear" : "dirty");
	printf("heap %s\n", sbrk(4096) != (void *)-1 && sbrk(0) ? "grows" : "no");
	printf("secure %lu\n", getauxval(AT_SECURE));
	return argc > 1 && strcmp(argv[1], "status") == 0 ? atoi(argv[2]) : 0;
}
