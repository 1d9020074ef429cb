/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a thread is by the view of users: ids, groups and capabilities, and the
 * kernel's rules for changing them (kernel/sys.c, security/commoncap.c). No call
 * is made here.
 */
#ifndef TRANSHIP_ENGINE_IDS_H
#define TRANSHIP_ENGINE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NO_ID 0xffffffffU
/* Fewer than the kernel's 65536: the list has to fit into a word of execve(). */
#define IDS_GROUPS 256

#define CAP_CHOWN 0
#define CAP_FOWNER 3
#define CAP_FSETID 4
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SETPCAP 8
#define CAP_SYS_CHROOT 18
#define CAP_SYS_ADMIN 21
#define CAP_LAST 40
#define CAPS_ALL ((1UL << (CAP_LAST + 1)) - 1)
#define CAP_BIT(cap) (1UL << (cap))

/* Bits of PR_SET_SECUREBITS. */
#define SECURE_NOROOT 0x1
#define SECURE_NO_SETUID_FIXUP 0x4
#define SECURE_KEEP_CAPS 0x10
#define SECURE_KEEP_CAPS_LOCKED 0x20
#define SECURE_NO_CAP_AMBIENT_RAISE 0x40
#define SECURE_BITS 0x55
#define SECURE_LOCKS 0xaa
/* No bit of the kernel's: the program is told so by AT_SECURE. */
#define SECURE_EXECUTED 0x100

/* In the order in which they are told: real, effective, saved, of files. */
enum { ID_REAL, ID_EFFECTIVE, ID_SAVED, ID_FS, ID_KINDS };

struct ids {
	uint32_t uid[ID_KINDS], gid[ID_KINDS];
	uint64_t effective, permitted, inheritable, bound, ambient;
	uint32_t secure;
	uint32_t count;			/* of groups, which ascend */
	uint32_t group[IDS_GROUPS];
};

/* ids_root() - as a system starts its first process. */
void ids_root(struct ids *i);
/* ids_may() - whether capability @cap is effective. */
bool ids_may(const struct ids *i, unsigned int cap);
/* ids_in_group() - as who makes files: the group of files or one beside it. */
bool ids_in_group(const struct ids *i, uint32_t gid);

/* The calls of these names. 0 or -errno; nothing is changed where it fails. */
long ids_setuid(struct ids *i, uint32_t uid);
long ids_setgid(struct ids *i, uint32_t gid);
long ids_setreuid(struct ids *i, uint32_t real, uint32_t effective);
long ids_setregid(struct ids *i, uint32_t real, uint32_t effective);
long ids_setresuid(struct ids *i, const uint32_t wanted[3]);
long ids_setresgid(struct ids *i, const uint32_t wanted[3]);
/* ids_setfsuid(), ids_setfsgid() - what it was before, whatever is asked. */
long ids_setfsuid(struct ids *i, uint32_t uid);
long ids_setfsgid(struct ids *i, uint32_t gid);
/* ids_setgroups() - @group is sorted in place. */
long ids_setgroups(struct ids *i, uint32_t *group, size_t count);
/* ids_capset() - the three sets of capset(2). */
long ids_capset(struct ids *i, uint64_t effective, uint64_t permitted,
		uint64_t inheritable);
/* ids_prctl() - prctl() of capabilities; false: it is none of them. */
bool ids_prctl(struct ids *i, const unsigned long args[5], long *result);

/* ids_secure() - what AT_SECURE is. */
bool ids_secure(const struct ids *i);
/* ids_execute() - execve() of a program that belongs to @uid and @gid and has
 * this @mode. */
void ids_execute(struct ids *i, uint32_t mode, uint32_t uid, uint32_t gid);

/* ids_write() - as a text without blanks, ids_read() - and back; @to has
 * IDS_TEXT bytes. */
#define IDS_TEXT (8 * 11 + 6 * 21 + IDS_GROUPS * 11 + 1)
void ids_write(char *to, const struct ids *i);
bool ids_read(struct ids *i, const char *text);

#endif
