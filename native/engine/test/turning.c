// SPDX-License-Identifier: Apache-2.0
/*
 * What threads and processes see of DIRECTORY, whose rule changes under them:
 * `turning DIRECTORY`, until the end of its input. In it is the file x with the
 * name of another file there. Prints how often it was which.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct counts {
	atomic_long one, two, wrong;
	atomic_int stop;
};

static struct counts *counts;
static const char *directory;

/* 1 or 2; 0 = neither, or a mixture. */
static int look(void)
{
	char path[256], text[16] = "";
	struct stat by_name, open_file;
	int fd, d, seen = 0, which;
	struct dirent *e;
	DIR *names;

	snprintf(path, sizeof(path), "%s/x", directory);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 3 ||
	    fstat(fd, &open_file) < 0)
		return 0;
	close(fd);
	which = strcmp(text, "one\n") == 0 ? 1 : strcmp(text, "two\n") == 0 ? 2 : 0;
	/* What is open does not change: its names are of one table. */
	d = open(directory, O_RDONLY | O_DIRECTORY);
	if (d < 0)
		return 0;
	if (fstatat(d, "one", &by_name, 0) == 0)
		seen |= 1;
	if (fstatat(d, "two", &by_name, 0) == 0)
		seen |= 2;
	names = fdopendir(d);
	while ((e = readdir(names)) != NULL) {
		if (strcmp(e->d_name, "one") == 0)
			seen |= 4;
		if (strcmp(e->d_name, "two") == 0)
			seen |= 8;
	}
	closedir(names);
	if (seen != 5 && seen != 10)
		fprintf(stderr, "seen %d\n", seen);
	return seen == 5 || seen == 10 ? which : 0;
}

static void *turn(void *unused)
{
	while (!counts->stop) {
		int which = look();

		atomic_fetch_add(which == 1 ? &counts->one :
				 which == 2 ? &counts->two : &counts->wrong, 1);
	}
	return unused;
}

int main(int argc, char **argv)
{
	struct pollfd end = { .fd = 0, .events = POLLIN };
	pthread_t threads[4];

	directory = argv[argc - 1];
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, turn, NULL);
	while (poll(&end, 1, 10) == 0) {
		/* Forks in the middle of changes; each child looks by itself. */
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(look() == 0);
		waitpid(child, &status, 0);
		if (status != 0)
			atomic_fetch_add(&counts->wrong, 1);
	}
	counts->stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("%ld one, %ld two, %ld wrong\n", counts->one, counts->two,
	       counts->wrong);
	return 0;
}
