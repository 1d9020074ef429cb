// SPDX-License-Identifier: Apache-2.0
/* A program of before 2012: it jumps to the vsyscall page. */
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

int main(void)
{
	int (*day)(struct timeval *, void *) = (void *)0xffffffffff600000;
	time_t (*seconds)(time_t *) = (void *)0xffffffffff600400;
	int (*processor)(unsigned int *, unsigned int *, void *) =
		(void *)0xffffffffff600800;
	unsigned int cpu = 9999, node = 9999;
	struct timeval tv = { 0, 0 };
	time_t also = 0, result = seconds(&also);
	int status = day(&tv, NULL);

	printf("time %ld %s\n", (long)result, result == also ? "same" : "differs");
	printf("gettimeofday %d %ld\n", status, (long)tv.tv_sec);
	status = processor(&cpu, &node, NULL);
	printf("getcpu %d %s\n", status, cpu < 9999 ? "known" : "unknown");
	return 0;
}
