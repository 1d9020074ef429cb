// SPDX-License-Identifier: Apache-2.0
/*
 * `landlock ABI RULES FILTER`: puts the rules in force by confine.c where syscall()
 * answers as a kernel with that version of Landlock (security/landlock/syscalls.c):
 * it refuses rights that it does not know, structures that say more than its own,
 * and rules about what is not handled. Prints what was asked for.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../confine.h"

#define RIGHTS_OF_FILES 0xc007ULL	/* execute, write, read, truncate, ioctl */

static int abi;
static uint64_t handled, scoped;
static unsigned int rules;

static long fail(int error)
{
	errno = error;
	return -1;
}

static long create(const void *attr, size_t size, unsigned int flags)
{
	const size_t known = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	const int bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi >= 2 ? 14 : 13;
	uint64_t all[3] = { 0 };

	if (abi == 0)
		return fail(EOPNOTSUPP);
	if (flags)
		return abi;
	if (size < 8 || size > sizeof(all))
		return fail(EINVAL);
	memcpy(all, attr, size);
	for (size_t n = known / 8; n < 3; n++)
		if (all[n])
			return fail(E2BIG);
	if (!all[0] || all[0] >> bits || all[2] >> 2)
		return fail(EINVAL);
	handled = all[0];
	scoped = all[2];
	return dup(0);
}

static long add(const void *rule)
{
	uint64_t access;
	int32_t fd;
	struct stat st;

	memcpy(&access, rule, 8);
	memcpy(&fd, (const char *)rule + 8, 4);
	if (fstat(fd, &st) < 0)
		return -1;
	if (!access)
		return fail(ENOMSG);
	if (access & ~handled ||
	    (!S_ISDIR(st.st_mode) && access & ~RIGHTS_OF_FILES))
		return fail(EINVAL);
	rules++;
	return 0;
}

/* In place of the C library's. */
long syscall(long nr, ...)
{
	long a[4];
	va_list list;

	va_start(list, nr);
	for (int n = 0; n < 4; n++)
		a[n] = va_arg(list, long);
	va_end(list);
	switch (nr) {
	case 444:
		return create((const void *)a[0], (size_t)a[1], (unsigned int)a[2]);
	case 445:
		return add((const void *)a[2]);
	default:
		return 0;
	}
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	abi = atoi(argv[1]);
	confine(argv[2], argv[3]);
	printf("%llx %llx %u\n", (unsigned long long)handled,
	       (unsigned long long)scoped, rules);
	return 0;
}
