// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mounted.h"

/* The kernel's struct statx: the C library may be older than it. */
struct statx_start {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare;
	uint64_t ino, size, blocks, attributes_mask;
	uint64_t rest[24];
};
_Static_assert(sizeof(struct statx_start) == 256, "as the kernel has it");
#define ATTR_MOUNT_ROOT 0x2000

int mounted_here(int dir, const char *name, int flags)
{
	struct statx_start sx = { 0 };

	if (syscall(SYS_statx, dir, name, flags, 0, &sx) < 0 ||
	    !(sx.attributes_mask & ATTR_MOUNT_ROOT))
		return -1;
	return !!(sx.attributes & ATTR_MOUNT_ROOT);
}
