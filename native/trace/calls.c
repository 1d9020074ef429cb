// SPDX-License-Identifier: Apache-2.0
/*
 * The table of calls. Numbers are written out: a tracer built on one system
 * must know the calls of newer kernels and of the other ABI.
 */
#include <stddef.h>

#include "calls.h"

#define N NO_ARG
#define FOLLOWS 0
#define CHG HOW_CHANGES
#define NOF HOW_NOFOLLOW

static const struct call table[] = {
	/* nr64 nr32 kind op dir path dir2 path2 flags how */
	{ 2, 5, KIND_OPEN, OP_READ, N, 0, N, N, 1, FOLLOWS },
	{ 85, 8, KIND_OPEN, OP_CREATE, N, 0, N, N, N, CHG },
	{ 257, 295, KIND_OPEN, OP_READ, 0, 1, N, N, 2, FOLLOWS },
	{ 437, 437, KIND_OPENAT2, OP_READ, 0, 1, N, N, 2, FOLLOWS },
	{ 304, 342, KIND_HANDLE, OP_READ, N, N, N, N, 2, FOLLOWS },
	{ 4, 106, KIND_PATH, OP_STAT, N, 0, N, N, N, FOLLOWS },
	{ -1, 18, KIND_PATH, OP_STAT, N, 0, N, N, N, FOLLOWS },
	{ -1, 195, KIND_PATH, OP_STAT, N, 0, N, N, N, FOLLOWS },
	{ 6, 107, KIND_PATH, OP_STAT, N, 0, N, N, N, NOF },
	{ -1, 84, KIND_PATH, OP_STAT, N, 0, N, N, N, NOF },
	{ -1, 196, KIND_PATH, OP_STAT, N, 0, N, N, N, NOF },
	{ 262, 300, KIND_PATH, OP_STAT, 0, 1, N, N, 3, FOLLOWS },
	{ 332, 383, KIND_PATH, OP_STAT, 0, 1, N, N, 2, FOLLOWS },
	{ 303, 341, KIND_PATH, OP_STAT, 0, 1, N, N, 4,
	  NOF | HOW_FOLLOW_FLAG },
	{ 468, 468, KIND_PATH, OP_STAT, 0, 1, N, N, 4, FOLLOWS },
	{ 21, 33, KIND_PATH, OP_ACCESS, N, 0, N, N, N, FOLLOWS },
	{ 269, 307, KIND_PATH, OP_ACCESS, 0, 1, N, N, N, FOLLOWS },
	{ 439, 439, KIND_PATH, OP_ACCESS, 0, 1, N, N, 3, FOLLOWS },
	{ 89, 85, KIND_PATH, OP_READLINK, N, 0, N, N, N, NOF },
	{ 267, 305, KIND_PATH, OP_READLINK, 0, 1, N, N, N, NOF | HOW_EMPTY },
	{ 80, 12, KIND_CHDIR, OP_CHDIR, N, 0, N, N, N, FOLLOWS },
	{ 81, 133, KIND_FCHDIR, OP_CHDIR, 0, N, N, N, N, FOLLOWS },
	{ 161, 61, KIND_CHROOT, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 155, 217, KIND_PIVOT, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 59, 11, KIND_EXEC, 0, N, 0, N, N, N, FOLLOWS },
	{ 322, 358, KIND_EXEC, 0, 0, 1, N, N, 4, FOLLOWS },
	{ 134, 86, KIND_PATH, OP_READ, N, 0, N, N, N, FOLLOWS },
	{ 87, 10, KIND_PATH, OP_UNLINK, N, 0, N, N, N, NOF | CHG },
	{ 263, 301, KIND_PATH, OP_UNLINK, 0, 1, N, N, 2,
	  NOF | CHG | HOW_PLAIN_FLAGS },
	{ 84, 40, KIND_PATH, OP_RMDIR, N, 0, N, N, N, NOF | CHG },
	{ 82, 38, KIND_TWO, OP_RENAME, N, 0, N, 1, N, NOF | CHG },
	{ 264, 302, KIND_TWO, OP_RENAME, 0, 1, 2, 3, N, NOF | CHG },
	{ 316, 353, KIND_TWO, OP_RENAME, 0, 1, 2, 3, 4,
	  NOF | CHG | HOW_PLAIN_FLAGS },
	{ 86, 9, KIND_TWO, OP_LINK, N, 0, N, 1, N, NOF | CHG },
	{ 265, 303, KIND_TWO, OP_LINK, 0, 1, 2, 3, 4,
	  NOF | CHG | HOW_FOLLOW_FLAG },
	{ 88, 83, KIND_SYMLINK, OP_SYMLINK, N, 1, N, 0, N, NOF | CHG },
	{ 266, 304, KIND_SYMLINK, OP_SYMLINK, 1, 2, N, 0, N, NOF | CHG },
	{ 83, 39, KIND_PATH, OP_MKDIR, N, 0, N, N, N, NOF | CHG },
	{ 258, 296, KIND_PATH, OP_MKDIR, 0, 1, N, N, N, NOF | CHG },
	{ 133, 14, KIND_PATH, OP_MKNOD, N, 0, N, N, N, NOF | CHG },
	{ 259, 297, KIND_PATH, OP_MKNOD, 0, 1, N, N, N, NOF | CHG },
	{ 90, 15, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 268, 306, KIND_PATH, OP_META, 0, 1, N, N, N, CHG },
	{ 452, 452, KIND_PATH, OP_META, 0, 1, N, N, 3, CHG },
	{ 91, 94, KIND_FD, OP_META, 0, N, N, N, N, CHG },
	{ 92, 182, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ -1, 212, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 94, 16, KIND_PATH, OP_META, N, 0, N, N, N, NOF | CHG },
	{ -1, 198, KIND_PATH, OP_META, N, 0, N, N, N, NOF | CHG },
	{ 93, 95, KIND_FD, OP_META, 0, N, N, N, N, CHG },
	{ -1, 207, KIND_FD, OP_META, 0, N, N, N, N, CHG },
	{ 260, 298, KIND_PATH, OP_META, 0, 1, N, N, 4, CHG },
	{ 132, 30, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 235, 271, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 261, 299, KIND_PATH, OP_META, 0, 1, N, N, N, CHG | HOW_NULL },
	{ 280, 320, KIND_PATH, OP_META, 0, 1, N, N, 3, CHG | HOW_NULL },
	{ -1, 412, KIND_PATH, OP_META, 0, 1, N, N, 3, CHG | HOW_NULL },
	{ 469, 469, KIND_PATH, OP_META, 0, 1, N, N, 4, CHG },
	{ 188, 226, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 189, 227, KIND_PATH, OP_META, N, 0, N, N, N, NOF | CHG },
	{ 190, 228, KIND_FD, OP_META, 0, N, N, N, N, CHG },
	{ 197, 235, KIND_PATH, OP_META, N, 0, N, N, N, CHG },
	{ 198, 236, KIND_PATH, OP_META, N, 0, N, N, N, NOF | CHG },
	{ 199, 237, KIND_FD, OP_META, 0, N, N, N, N, CHG },
	{ 463, 463, KIND_PATH, OP_META, 0, 1, N, N, 2, CHG },
	{ 466, 466, KIND_PATH, OP_META, 0, 1, N, N, 2, CHG },
	{ 191, 229, KIND_PATH, OP_GETXATTR, N, 0, N, N, N, FOLLOWS },
	{ 192, 230, KIND_PATH, OP_GETXATTR, N, 0, N, N, N, NOF },
	{ 194, 232, KIND_PATH, OP_GETXATTR, N, 0, N, N, N, FOLLOWS },
	{ 195, 233, KIND_PATH, OP_GETXATTR, N, 0, N, N, N, NOF },
	{ 464, 464, KIND_PATH, OP_GETXATTR, 0, 1, N, N, 2, FOLLOWS },
	{ 465, 465, KIND_PATH, OP_GETXATTR, 0, 1, N, N, 2, FOLLOWS },
	{ 76, 92, KIND_PATH, OP_TRUNCATE, N, 0, N, N, N, CHG },
	{ -1, 193, KIND_PATH, OP_TRUNCATE, N, 0, N, N, N, CHG },
	{ 165, 21, KIND_MOUNT, OP_MOUNT, N, 1, N, 0, N, FOLLOWS },
	{ 166, 52, KIND_MOUNT, OP_MOUNT, N, 0, N, N, N, FOLLOWS },
	{ -1, 22, KIND_MOUNT, OP_MOUNT, N, 0, N, N, N, FOLLOWS },
	{ 428, 428, KIND_PATH, OP_OTHER, 0, 1, N, N, 2, FOLLOWS },
	{ 467, 467, KIND_PATH, OP_OTHER, 0, 1, N, N, 2, FOLLOWS },
	{ 429, 429, KIND_MOUNT, OP_MOUNT, 2, 3, N, N, N, FOLLOWS },
	{ 433, 433, KIND_PATH, OP_OTHER, 0, 1, N, N, N, FOLLOWS },
	{ 442, 442, KIND_PATH, OP_OTHER, 0, 1, N, N, 2, FOLLOWS },
	{ 137, 99, KIND_PATH, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ -1, 268, KIND_PATH, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 254, 292, KIND_PATH, OP_OTHER, N, 1, N, N, N, FOLLOWS },
	{ 301, -1, KIND_PATH, OP_OTHER, 3, 4, N, N, N, FOLLOWS },
	{ 167, 87, KIND_PATH, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 168, 115, KIND_PATH, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 163, 51, KIND_PATH, OP_OTHER, N, 0, N, N, N, FOLLOWS },
	{ 179, 131, KIND_PATH, OP_OTHER, N, 1, N, N, N, FOLLOWS },
	{ 49, 361, KIND_SOCKET, 1, N, N, N, N, N, 0 },
	{ 50, 363, KIND_SOCKET, 2, N, N, N, N, N, 0 },
	{ 42, 362, KIND_SOCKET, 3, N, N, N, N, N, 0 },
	{ -1, 102, KIND_SOCKETCALL, 0, N, N, N, N, N, 0 },
	{ 272, 310, KIND_UNSHARE, 0, N, N, N, N, N, 0 },
	{ 308, 346, KIND_SETNS, 0, N, N, N, N, N, 0 },
	{ 105, 23, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ -1, 213, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ 113, 70, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ -1, 203, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ 117, 164, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ -1, 208, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ 122, 138, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ -1, 215, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ 126, 185, KIND_IDS, 0, N, N, N, N, N, 0 },
	{ 101, 26, KIND_PTRACE, 0, N, N, N, N, N, 0 },
	{ 317, 354, KIND_SECCOMP, 0, N, N, N, N, N, 0 },
	{ 425, 425, KIND_IOURING, 0, N, N, N, N, N, 0 },
	{ 56, 120, KIND_FORK, 1, N, N, N, N, 0, 0 },
	{ 57, 2, KIND_FORK, 0, N, N, N, N, N, 0 },
	{ 58, 190, KIND_FORK, 0, N, N, N, N, N, 0 },
	{ 435, 435, KIND_FORK, 3, N, N, N, N, 0, 0 },
	{ 203, 241, KIND_AFFINITY, 0, N, N, N, N, N, 0 },
	{ 204, 242, KIND_AFFINITY, 0, N, N, N, N, N, 0 },
};

#define NR_MAX 512

static const struct call *by_nr[2][NR_MAX];

__attribute__((constructor)) static void index_table(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (table[i].nr64 >= 0)
			by_nr[0][table[i].nr64] = &table[i];
		if (table[i].nr32 >= 0)
			by_nr[1][table[i].nr32] = &table[i];
	}
}

const struct call *calls_find(bool i386, uint64_t nr)
{
	return nr < NR_MAX ? by_nr[i386][nr] : NULL;
}

bool calls_notified(const struct call *c, const uint64_t *arg)
{
	if (c->kind == KIND_OPEN)
		return c->flags >= 0 && !(arg[c->flags] & OPEN_CHANGES);
	return c->kind == KIND_PATH && !(c->how & HOW_CHANGES);
}
