// SPDX-License-Identifier: Apache-2.0
#include "memory-file.h"
#include "sys.h"
#include "text.h"

#define MFD_CLOEXEC 1
#define SEEK_SET 0

long memory_file_to_read(long fd, unsigned long flags)
{
	char path[40] = "/proc/self/fd/";
	long again;

	text_decimal(path + strlen(path), fd);
	again = SYS(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (again < 0)
		return SYS(__NR_lseek, fd, 0, SEEK_SET) < 0 ? -EIO : fd;
	SYS(__NR_dup3, again, fd, flags & O_CLOEXEC);
	SYS(__NR_close, again);
	return fd;
}

long memory_file(const char *name, const char *text, size_t n,
		 unsigned long flags)
{
	long fd = SYS(__NR_memfd_create, name,
		      flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	long result;

	if (fd < 0)
		return fd;
	result = SYS(__NR_write, fd, text, n);
	if (result < 0) {
		SYS(__NR_close, fd);
		return result;
	}
	return memory_file_to_read(fd, flags);
}
