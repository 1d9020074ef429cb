// SPDX-License-Identifier: Apache-2.0
/* Files opened by calls of the 32-bit ABI, from a 32-bit program and by int 0x80 from a 64-bit one; and the vsyscall page. */
#include <sys/time.h>
#include "check.h"

#ifdef __x86_64__
static const char int80_path[] __attribute__((aligned(4))) = "/srv/abi/by-int80";

static void by_int80(void)
{
	long fd = 5;

	/* A static program without PIE: the address has 32 bits. */
	__asm__ volatile("int $0x80"
			 : "+a"(fd)
			 : "b"((long)int80_path), "c"(O_RDONLY), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
	check_fd("int 0x80", (int)fd, "by int 0x80\n");
}

static void by_vsyscall(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[300];
	int page = 0;
	struct timeval now = { 0, 0 };
	int (*get)(struct timeval *, void *) = (void *)0xffffffffff600000;

	while (maps && fgets(line, sizeof(line), maps))
		page |= strstr(line, "[vsyscall]") != NULL;
	if (page)
		check("vsyscall", get(&now, NULL) == 0 && now.tv_sec > 0);
	else
		puts("no vsyscall page");
	check_text("/srv/abi/after", "after\n");
}
#endif

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc > 1) {
		check("32 bits", sizeof(long) == 4);
		check_text("/srv/abi/by-i386", "by i386\n");
		check("absent", access("/srv/abi/absent", F_OK) < 0);
		return check_failed;
	}
	(void)argv;
#ifdef __x86_64__
	by_int80();
	by_vsyscall();
#endif
	pid = fork();
	if (pid == 0) {
		execl("/srv/abi/small", "small", "32", (char *)NULL);
		_exit(9);
	}
	check_child("a 32-bit program", pid);
	return check_failed;
}
