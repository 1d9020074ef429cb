// SPDX-License-Identifier: Apache-2.0
/*
 * plan-fuzz SEED_FILE ROUNDS SEED - decodes damaged copies of a valid plan,
 * under the sanitizers. Says how many were taken and how many refused.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "die.h"
#include "frame.h"
#include "../plan.h"

#define BATCH 500		/* per process: the decoder never frees */

static unsigned long long state;

static unsigned int dice(unsigned int sides)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)(state >> 33) % sides;
}

static size_t damage(unsigned char *bytes, size_t size)
{
	static const unsigned char nasty[] = { 0, 1, 0x7f, 0x80, 0xff };
	unsigned int times = 1 + dice(4);

	while (times-- > 0 && size > 8) {
		size_t at = 8 + dice((unsigned int)size - 8), n;

		switch (dice(5)) {
		case 0:
			bytes[at] ^= (unsigned char)(1U << dice(8));
			break;
		case 1:
			bytes[at] = nasty[dice(sizeof(nasty))];
			break;
		case 2:
			size = at;
			break;
		case 3:
			n = 1 + dice(16);
			if (n > size - at)
				n = size - at;
			memmove(bytes + at, bytes + at + n, size - at - n);
			size -= n;
			break;
		default:
			n = 1 + dice(16);
			if (n > size - at)
				n = size - at;
			memmove(bytes + 8 + dice((unsigned int)(at - 7)),
				bytes + at, n);
		}
	}
	return size;
}

/* The exact size, so that one byte too far is seen. */
static bool accepted(const unsigned char *seed, size_t size)
{
	unsigned char *copy = malloc(size), *exact;
	static struct plan plan;
	bool good;

	if (!copy)
		die("out of memory");
	memcpy(copy, seed, size);
	size = damage(copy, size);
	exact = malloc(size ? size : 1);
	if (!exact)
		die("out of memory");
	memcpy(exact, copy, size);
	free(copy);
	good = !plan_decode(exact, size, &plan);
	free(exact);
	return good;
}

static long batch(const unsigned char *seed, size_t size, long rounds)
{
	int fds[2], status;
	long taken = 0, i;

	if (pipe(fds) < 0)
		die_errno("pipe");
	if (fork() == 0) {
		for (i = 0; i < rounds; i++)
			taken += accepted(seed, size);
		write_all(fds[1], &taken, sizeof(taken));
		_exit(0);
	}
	close(fds[1]);
	read_all(fds[0], &taken, sizeof(taken));
	close(fds[0]);
	if (wait(&status) < 0 || status != 0)
		die("the decoder crashed in the batch before state %llu",
		    state);
	return taken;
}

int main(int argc, char **argv)
{
	static unsigned char seed[65536];
	long rounds = argc == 4 ? atol(argv[2]) : 0, done, taken = 0;
	int fd = argc == 4 ? open(argv[1], O_RDONLY) : -1;
	long size = fd < 0 ? -1 : read_all(fd, seed, sizeof(seed));
	static struct plan plan;

	if (size <= 0 || plan_decode(seed, (size_t)size, &plan))
		die("usage: plan-fuzz VALID_PLAN ROUNDS SEED");
	for (done = 0; done < rounds; done += BATCH) {
		state = (unsigned long long)atoll(argv[3]) + (unsigned)done;
		taken += batch(seed, (size_t)size, BATCH);
	}
	printf("%ld taken, %ld refused\n", taken, done - taken);
	return 0;
}
