// SPDX-License-Identifier: Apache-2.0
/*
 * The least program that still has what a loader looks at: code, data, zeros
 * behind the data, and a check that all three are where they belong. No C
 * library: wherever a damaged header makes it begin, it can do no harm.
 */
static const char text[] = "ok\n";
static long data = 12345;
static char zeros[9000];

static long call(long nr, long a, long b, long c)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

void _start(void)
{
	long wrong = data != 12345;

	data = 1;
	for (unsigned int i = 0; i < sizeof(zeros); i += 100) {
		wrong |= zeros[i];
		zeros[i] = 1;
	}
	if (!wrong)
		call(1, 1, (long)text, 3);
	call(60, wrong, 0, 0);
	for (;;)
		;
}
