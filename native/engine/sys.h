/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel as the engine sees it: structures and numbers from the kernel's
 * own headers, and calls that leave through the gate (gate.c). There is no C
 * library here: inside a program that has its own, another one would fight
 * with it for errno, thread-local storage and signals.
 */
#ifndef TRANSHIP_ENGINE_SYS_H
#define TRANSHIP_ENGINE_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <asm/unistd.h>
#include <linux/errno.h>

/* A call of the engine's own: the kernel's answer, -errno on failure. It is
 * not interrupted for good: a signal that ends it early is told as -EINTR. */
long gate_call(long nr, long a, long b, long c, long d, long e, long f);

/* SYS(number, arguments...) - what is not given is 0. */
#define SYS(...) SYS_FILLED(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define SYS_FILLED(nr, a, b, c, d, e, f, ...) \
	gate_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		  (long)(f))

#define PAGE 4096UL
#define PAGE_DOWN(x) ((unsigned long)(x) & ~(PAGE - 1))
#define PAGE_UP(x) PAGE_DOWN((unsigned long)(x) + PAGE - 1)

/* What the kernel answers in the pointer range of errors. */
#define IS_ERROR(x) ((unsigned long)(x) >= (unsigned long)-4095L)

#define AT_FDCWD (-100)
#define AT_EMPTY_PATH 0x1000
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS 0x200
#define O_RDONLY 0
#define O_WRONLY 1
#define O_RDWR 2
#define O_CREAT 0100
#define O_EXCL 0200
#define O_TRUNC 01000
#define O_APPEND 02000
#define O_NONBLOCK 04000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000
#define O_CLOEXEC 02000000
#define O_PATH 010000000
#define O_TMPFILE (020000000 | O_DIRECTORY)
#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define PROT_GROWSDOWN 0x01000000
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MAP_NORESERVE 0x4000
#define MAP_FIXED_NOREPLACE 0x100000
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFLNK 0120000
#define S_ISUID 04000
#define S_ISGID 02000
#define S_IXGRP 00010
#define X_OK 1

typedef unsigned long set_t;	/* a set of signals, bit 0 for signal 1 */
#define SIGBIT(sig) (1UL << ((sig) - 1))


/* struct stat of the kernel (asm/stat.h clashes with nothing, but its names
 * are long): only what is read here. */
struct file_status {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t size, blksize, blocks;
	uint64_t times[6];
	int64_t unused[3];
};

#endif
