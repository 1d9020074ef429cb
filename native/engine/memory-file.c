// SPDX-License-Identifier: Apache-2.0
#include "memory-file.h"
#include "sys.h"

#define MFD_CLOEXEC 1
#define SEEK_SET 0

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
	SYS(__NR_lseek, fd, 0, SEEK_SET);
	return fd;
}
