/* SPDX-License-Identifier: Apache-2.0 */
/* Which system calls are looked at, in both ABIs, and the filter for them. */
#ifndef TRANSHIP_TRACE_CALLS_H
#define TRANSHIP_TRACE_CALLS_H

#include <stdbool.h>
#include <stdint.h>

/* The operations of a PATH record (docs/internals/records.md, section 2). */
enum operation {
	OP_READ = 1, OP_WRITE, OP_CREATE, OP_STAT, OP_ACCESS, OP_READLINK,
	OP_LIST, OP_CHDIR, OP_UNLINK, OP_RENAME, OP_LINK, OP_SYMLINK,
	OP_MKDIR, OP_RMDIR, OP_MKNOD, OP_META, OP_GETXATTR, OP_TRUNCATE,
	OP_MOUNT, OP_SOCKET, OP_OTHER,
};

enum call_kind {
	KIND_PATH,	/* one path, nothing else to know */
	KIND_OPEN,	/* flags say which operation */
	KIND_OPENAT2,
	KIND_HANDLE,	/* open_by_handle_at: the path is known afterwards */
	KIND_TWO,	/* rename, link */
	KIND_SYMLINK,
	KIND_FD,	/* the object is named by a descriptor */
	KIND_CHDIR,
	KIND_FCHDIR,
	KIND_CHROOT,
	KIND_PIVOT,
	KIND_MOUNT,
	KIND_EXEC,
	KIND_SOCKET,	/* bind, connect, listen */
	KIND_SOCKETCALL,
	KIND_UNSHARE,
	KIND_SETNS,
	KIND_IDS,	/* setuid() and kin: the task may see less now */
	KIND_PTRACE,
	KIND_SECCOMP,
	KIND_IOURING,
	KIND_FORK,	/* its flags say what parent and child share */
	KIND_AFFINITY,
};

#define NO_ARG (-1)

struct call {
	short nr64;		/* -1 where the ABI has no such call */
	short nr32;
	unsigned char kind;
	unsigned char op;
	signed char dir;	/* argument that holds the dirfd, NO_ARG */
	signed char path;
	signed char dir2;
	signed char path2;
	signed char flags;	/* argument with AT_* or O_* flags */
	unsigned char how;
};

#define HOW_NOFOLLOW 1		/* never follows the last component */
#define HOW_CHANGES 2		/* changes the tree: ask what was there */
#define HOW_EMPTY 4		/* "" names the dirfd without AT_EMPTY_PATH */
#define HOW_NULL 8		/* a null path names the dirfd */
#define HOW_FOLLOW_FLAG 16	/* AT_SYMLINK_FOLLOW rather than NOFOLLOW */
#define HOW_PLAIN_FLAGS 32	/* fixed: argument flags are not AT_* */

/* O_CREAT, O_TRUNC and the bit of O_TMPFILE: such an open changes the tree. */
#define OPEN_CHANGES 020001100

/* What the filter passes with a stop, to tell it from an inner filter's. */
#define FILTER_COOKIE 0x5472
#define FILTER_COOKIE_X32 0x5832

/* calls_find() - the entry of call @nr of the i386 or amd64 ABI, or NULL. */
const struct call *calls_find(bool i386, uint64_t nr);

/* filter_install() - 0 or, with @notify, the listener that calls which change
 * nothing are told to; -1 with errno. Without no_new_privs this needs
 * CAP_SYS_ADMIN in the user namespace: EACCES otherwise. */
int filter_install(bool notify);
/* calls_notified() - whether call @c with these arguments goes to the
 * listener. */
bool calls_notified(const struct call *c, const uint64_t *arg);

#endif
