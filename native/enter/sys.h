/* SPDX-License-Identifier: Apache-2.0 */
/* System calls that the C library does not name yet; ENOSYS where the kernel
 * lacks them. Numbers from 424 on are the same on every architecture. */
#ifndef TRANSHIP_ENTER_SYS_H
#define TRANSHIP_ENTER_SYS_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

#define TR_OPEN_TREE_CLONE 1U
#define TR_AT_RECURSIVE 0x8000U
#define TR_AT_EMPTY_PATH 0x1000U
#define TR_MOVE_MOUNT_F_EMPTY_PATH 0x4U
#define TR_MOVE_MOUNT_T_EMPTY_PATH 0x40U
#define TR_FSOPEN_CLOEXEC 1U
#define TR_FSMOUNT_CLOEXEC 1U
#define TR_FSCONFIG_SET_FLAG 0U
#define TR_FSCONFIG_SET_STRING 1U
#define TR_FSCONFIG_CMD_CREATE 6U
#define TR_MOUNT_ATTR_RDONLY 0x1U
#define TR_MOUNT_ATTR_NOSUID 0x2U
#define TR_MOUNT_ATTR_NODEV 0x4U
#define TR_RESOLVE_NO_MAGICLINKS 0x2U
#define TR_RESOLVE_IN_ROOT 0x10U
#define TR_CLOSE_RANGE_CLOEXEC 4U

struct tr_open_how {
	uint64_t flags;
	uint64_t mode;
	uint64_t resolve;
};

struct tr_mount_attr {
	uint64_t attr_set;
	uint64_t attr_clr;
	uint64_t propagation;
	uint64_t userns_fd;
};

static inline int sys_openat2(int at, const char *path,
			      const struct tr_open_how *how)
{
	return (int)syscall(SYS_openat2, at, path, how, sizeof(*how));
}

static inline int sys_open_tree(int at, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, at, path, flags);
}

static inline int sys_move_mount(int from, int to)
{
	return (int)syscall(SYS_move_mount, from, "", to, "",
			    TR_MOVE_MOUNT_F_EMPTY_PATH |
			    TR_MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sys_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, TR_FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fd, unsigned int cmd, const char *key,
			       const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, 0);
}

static inline int sys_fsmount(int fd, unsigned int attr)
{
	return (int)syscall(SYS_fsmount, fd, TR_FSMOUNT_CLOEXEC, attr);
}

static inline int sys_mount_setattr(int fd, unsigned int flags,
				    const struct tr_mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, fd, "", flags | TR_AT_EMPTY_PATH,
			    attr, sizeof(*attr));
}

static inline int sys_close_range(unsigned int first, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, ~0U, flags);
}

static inline int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

#endif
