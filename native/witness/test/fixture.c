// SPDX-License-Identifier: Apache-2.0
/*
 * Opens files in ways that a tracer of calls sees badly or not at all. Static.
 *
 *	uring FILE		openat through io_uring, and nothing else
 *	int80 FILE		open by int 0x80
 *	chroot DIR FILE		open FILE inside DIR
 *	fleeting FILE		create, close, remove
 *	daemon FILE		a twice forked child opens it after our end
 *	burst DIR COUNT		make and open so many files
 *	hot FILE MS		open it again and again for so long
 *	lesser CMD...		run CMD without CAP_SYS_ADMIN
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int show(int fd)
{
	char buf[256];
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (n < 0 || write(1, buf, (size_t)n) != n)
		return fail("read");
	return 0;
}

static int uring(const char *path)
{
	struct io_uring_params p = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 1, &p);
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	char *sq, *cq;

	if (ring < 0)
		return errno == ENOSYS || errno == EPERM ? 77
							 : fail("setup");
	sq = mmap(NULL, p.sq_off.array + sizeof(uint32_t), 3, MAP_SHARED, ring,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + 2 * sizeof(*cqe), 3, MAP_SHARED, ring,
		  IORING_OFF_CQ_RING);
	sqe = mmap(NULL, sizeof(*sqe), 3, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED)
		return fail("mmap");
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (uintptr_t)path;
	sqe->open_flags = O_RDONLY;
	*(uint32_t *)(void *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(void *)(sq + p.sq_off.tail), 1,
			 __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS,
		    NULL, 0) != 1)
		return fail("enter");
	cqe = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
	errno = cqe->res < 0 ? -cqe->res : 0;
	return show(cqe->res);
}

/* The address has to fit into 32 bits: the text is copied low. */
static int int80(const char *path)
{
	char *low = mmap(NULL, 4096, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
			 -1, 0);
	long fd = 5;

	if (low == MAP_FAILED)
		return fail("mmap");
	strncpy(low, path, 4095);
	__asm__ volatile("int $0x80" : "+a"(fd)
			 : "b"(low), "c"(0), "d"(0) : "memory", "r8", "r9",
			   "r10", "r11");
	errno = fd < 0 ? (int)-fd : 0;
	return show((int)fd);
}

static int jail(const char *dir, const char *path)
{
	if (chroot(dir) < 0 || chdir("/") < 0)
		return fail("chroot");
	return show(open(path, O_RDONLY));
}

static int fleeting(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600);

	if (fd < 0 || write(fd, "x", 1) != 1 || close(fd) < 0 ||
	    unlink(path) < 0)
		return fail(path);
	return 0;
}

static int detach(const char *path)
{
	pid_t child = fork();

	if (child != 0)
		return child < 0 ? fail("fork") : 0;
	setsid();
	if (fork() != 0)
		_exit(0);
	usleep(300000);
	return show(open(path, O_RDONLY));
}

static int burst(const char *dir, int count)
{
	char path[4096];

	for (int i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/f%05d", dir, i);
		fd = open(path, O_CREAT | O_RDONLY, 0600);
		if (fd < 0)
			return fail(path);
		close(fd);
	}
	return 0;
}

static int hot(const char *path, int ms)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += ms / 1000;
	do {
		for (int i = 0; i < 1000; i++)
			close(open(path, O_RDONLY));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	return 0;
}

static int lesser(char **cmd)
{
	if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) < 0)
		return fail("prctl");
	execv(cmd[0], cmd);
	return fail(cmd[0]);
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (strcmp(what, "uring") == 0)
		return uring(argv[2]);
	if (strcmp(what, "int80") == 0)
		return int80(argv[2]);
	if (strcmp(what, "chroot") == 0 && argc > 3)
		return jail(argv[2], argv[3]);
	if (strcmp(what, "fleeting") == 0)
		return fleeting(argv[2]);
	if (strcmp(what, "daemon") == 0)
		return detach(argv[2]);
	if (strcmp(what, "burst") == 0 && argc > 3)
		return burst(argv[2], atoi(argv[3]));
	if (strcmp(what, "hot") == 0 && argc > 3)
		return hot(argv[2], atoi(argv[3]));
	if (strcmp(what, "lesser") == 0)
		return lesser(argv + 2);
	fprintf(stderr, "usage: fixture WHAT FILE [MORE]\n");
	return 2;
}
