// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "memory.h"
#include "without.h"

#define PAGE 4096U
#define FIRST_READ 256U

static long memory_file(const struct task *t, uint64_t addr, void *p, size_t n)
{
	char file[40];
	long got;
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/mem", (int)t->pid);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = pread(fd, p, n, (off_t)addr);
	close(fd);
	return got;
}

static long memory_some(const struct task *t, uint64_t addr, void *p, size_t n)
{
	struct iovec mine = { p, n };
	struct iovec theirs = { (void *)(uintptr_t)addr, n };
	ssize_t got;

	if (without.vm_readv)
		return memory_file(t, addr, p, n);
	got = process_vm_readv(t->pid, &mine, 1, &theirs, 1, 0);
	if (got < 0 && (errno == ENOSYS || errno == EPERM))
		return memory_file(t, addr, p, n);
	return got;
}

bool memory_read(const struct task *t, uint64_t addr, void *p, size_t n)
{
	char *at = p;

	while (n > 0) {
		size_t step = PAGE - (addr & (PAGE - 1));
		long got;

		if (step > n)
			step = n;
		got = memory_some(t, addr, at, step);
		if (got <= 0)
			return false;
		at += got;
		addr += (uint64_t)got;
		n -= (size_t)got;
	}
	return true;
}

long memory_string(const struct task *t, uint64_t addr, char *buf, size_t max)
{
	size_t n = 0;

	while (n < max) {
		size_t step = PAGE - (addr & (PAGE - 1));
		const char *end;
		long got;

		if (n == 0 && step > FIRST_READ)
			step = FIRST_READ;
		if (step > max - n)
			step = max - n;
		got = memory_some(t, addr, buf + n, step);
		if (got <= 0)
			return -1;
		end = memchr(buf + n, 0, (size_t)got);
		if (end)
			return end - buf;
		n += (size_t)got;
		addr += (uint64_t)got;
	}
	return -2;
}
