// SPDX-License-Identifier: Apache-2.0
/*
 * sysctl(2) as programs of old systems make it, one answer a line.
 *   sysctl          strings, numbers and errors
 *   sysctl NUMBER   sets kernel.overflowuid by it
 */
#include <errno.h>
#include <stddef.h>
#include <linux/sysctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct __sysctl_args args(int *names, int count, void *old, size_t *size)
{
	return (struct __sysctl_args){ names, count, old, size, NULL, 0, { 0 } };
}

static long ask(struct __sysctl_args *a)
{
	return syscall(156, a) < 0 ? -errno : 0;
}

static void text(const char *what, int a, int b, size_t size)
{
	char old[300] = "";
	int names[] = { a, b };
	struct __sysctl_args request = args(names, 2, old, &size);
	long result = ask(&request);

	printf("%s %ld %s %zu\n", what, result, old, size - strlen(old));
}

static void numbers(const char *what, int a, int b, int c, size_t width)
{
	char old[64] = "";
	size_t size = sizeof(old);
	int names[] = { a, b, c };
	struct __sysctl_args request = args(names, c ? 3 : 2, old, &size);
	long result = ask(&request);
	unsigned long value;

	printf("%s %ld", what, result);
	for (size_t at = 0; result == 0 && at < size; at += width) {
		value = 0;
		memcpy(&value, old + at, width);
		printf(" %lu", value);
	}
	printf("\n");
}

static void errors(void)
{
	int names[] = { CTL_KERN, KERN_OSRELEASE }, unknown[] = { 77, 1 };
	struct __sysctl_args request;
	size_t size = 10;
	char old[10];

	request = args(unknown, 2, old, &size);
	printf("unknown %ld", ask(&request));
	request = args(names, 11, old, &size);
	printf(" long %ld", ask(&request));
	request = args(names, 0, old, &size);
	printf(" none %ld", ask(&request));
	request = args(names, 2, old, NULL);
	printf(" no size %ld", ask(&request));
	request = args(NULL, 2, old, &size);
	printf(" no names %ld", ask(&request));
	request = args(names, 2, (void *)8, &size);
	printf(" bad old %ld", ask(&request));
	printf(" bad %ld\n", ask((void *)16));
}

int main(int argc, char **argv)
{
	int names[] = { CTL_KERN, KERN_OVERFLOWUID };

	if (argc > 1) {
		int value = atoi(argv[1]);
		struct __sysctl_args request = args(names, 2, NULL, NULL);

		request.newval = &value;
		request.newlen = sizeof(value);
		printf("set %ld\n", ask(&request));
		return 0;
	}
	text("ostype", CTL_KERN, KERN_OSTYPE, 300);
	text("osrelease", CTL_KERN, KERN_OSRELEASE, 300);
	text("version", CTL_KERN, KERN_VERSION, 300);
	text("hostname", CTL_KERN, KERN_NODENAME, 300);
	text("cut", CTL_KERN, KERN_OSTYPE, 3);
	numbers("threads-max", CTL_KERN, KERN_MAX_THREADS, 0, 4);
	numbers("shmmax", CTL_KERN, KERN_SHMMAX, 0, 8);
	numbers("sem", CTL_KERN, KERN_SEM, 0, 4);
	numbers("somaxconn", CTL_NET, NET_CORE, NET_CORE_SOMAXCONN, 4);
	numbers("file-max", CTL_FS, FS_MAXFILE, 0, 8);
	errors();
	return 0;
}
