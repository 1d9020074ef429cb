// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. The in-process engine is in the memory of the program that it
 * redirects, so it cannot hold it. The kernel can, without a namespace and
 * without a right: who has set no_new_privs may take from itself what it wants.
 * src/runtime/inprocess/confine.ts says what is left. Capabilities go as well,
 * since Landlock knows no device nodes by number and no /proc/kcore. What an
 * older kernel cannot hold is not held: handled is only what its ABI has.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"
#include "die.h"
#include "read.h"

/* linux/landlock.h and linux/capability.h; headers may be older than the kernel. */
#define NR_LANDLOCK_CREATE 444
#define NR_LANDLOCK_ADD 445
#define NR_LANDLOCK_RESTRICT 446
#define CREATE_VERSION 1
#define RULE_PATH_BENEATH 1
#define FS_EXECUTE (1ULL << 0)
#define FS_WRITE_FILE (1ULL << 1)
#define FS_READ_FILE (1ULL << 2)
#define FS_READ_DIR (1ULL << 3)
#define FS_ABI_1 ((1ULL << 13) - 1)
#define FS_REFER (1ULL << 13)
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define FS_OF_FILES \
	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define SCOPE_SOCKETS (1ULL << 0)
#define SCOPE_SIGNALS (1ULL << 1)
#define CAPABILITIES_V3 0x20080522
#define CAPABILITY_MAX 63

#define RULES_MAX (1 << 20)
#define FILTER_MAX (4096 * sizeof(struct sock_filter))

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

struct capability_set {
	uint32_t effective, permitted, inheritable;
};

int landlock_abi(void)
{
	long abi = syscall(NR_LANDLOCK_CREATE, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

/* rest() - what @line says behind @word and a space, or NULL. */
static const char *rest(const char *line, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(line, word, length) != 0 || line[length] != ' ')
		return NULL;
	return line + length + 1;
}

static void set_scope(struct ruleset_attr *attr, const char *what)
{
	if (strcmp(what, "signals") == 0)
		attr->scoped |= SCOPE_SIGNALS;
	else if (strcmp(what, "sockets") == 0)
		attr->scoped |= SCOPE_SOCKETS;
	else
		die("confine: not a scope: %s", what);
}

static void bound_capabilities(const char *text)
{
	struct { uint32_t version; int32_t pid; } head = { CAPABILITIES_V3, 0 };
	struct capability_set sets[2];
	char *end;
	uint64_t kept = strtoull(text, &end, 16);

	if (end == text || *end)
		die("confine: not a mask of capabilities: %s", text);
	for (int n = 0; n <= CAPABILITY_MAX; n++) {
		int there = prctl(PR_CAPBSET_READ, n, 0, 0, 0);

		if (there < 0)
			break;	/* the last one was before */
		/* An ordinary user cannot, and gets none by no_new_privs. */
		if (there && !(kept >> n & 1) &&
		    prctl(PR_CAPBSET_DROP, n, 0, 0, 0) < 0 && errno != EPERM)
			die_errno("cannot drop capability %d", n);
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &head, sets) < 0)
		die_errno("cannot read capabilities");
	for (int n = 0; n < 2; n++) {
		uint32_t mask = (uint32_t)(kept >> (32 * n));

		sets[n].effective &= mask;
		sets[n].permitted &= mask;
		sets[n].inheritable &= mask;
	}
	if (syscall(SYS_capset, &head, sets) < 0)
		die_errno("cannot drop capabilities");
}

static uint64_t handled(int abi)
{
	return FS_ABI_1 | (abi >= 2 ? FS_REFER : 0) |
	       (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0);
}

static void add_path(int ruleset, uint64_t access, const char *path)
{
	struct beneath rule = { .access = access };
	struct stat st;

	rule.fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return;
	if (rule.fd < 0 || fstat(rule.fd, &st) < 0)
		die_errno("confine: cannot look at %s", path);
	if (!S_ISDIR(st.st_mode))
		rule.access &= FS_OF_FILES;
	if (syscall(NR_LANDLOCK_ADD, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0)
		die_errno("confine: cannot allow %s", path);
	close(rule.fd);
}

static void add_rule(int ruleset, uint64_t all, const char *line)
{
	const uint64_t look = FS_READ_FILE | FS_READ_DIR;
	const uint64_t device = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV;
	const char *path;

	if ((path = rest(line, "list")))
		add_path(ruleset, FS_READ_DIR, path);
	else if ((path = rest(line, "read")))
		add_path(ruleset, look | FS_EXECUTE, path);
	else if ((path = rest(line, "look")))
		add_path(ruleset, look, path);
	else if ((path = rest(line, "write")))
		add_path(ruleset, all, path);
	else if ((path = rest(line, "device")))
		add_path(ruleset, all & device, path);
	else if (!rest(line, "scope") && !rest(line, "caps"))
		die("confine: not a rule: %s", line);
}

static void restrict_files(const char *text, size_t size)
{
	int abi = landlock_abi(), ruleset;
	struct ruleset_attr attr = { .fs = handled(abi) };
	/* Kernels refuse a structure that is longer than theirs and not 0 there. */
	const size_t length = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
	const char *what;

	if (!abi)
		die("--confine: this kernel has no Landlock (Linux 5.13, and "
		    "landlock in its list of security modules): leave it out, or "
		    "run the instance under namespaces");
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		if ((what = rest(at, "scope")))
			set_scope(&attr, what);
	ruleset = (int)syscall(NR_LANDLOCK_CREATE, &attr, length, 0);
	if (ruleset < 0)
		die_errno("cannot make a ruleset of Landlock");
	for (const char *at = text; at < text + size; at += strlen(at) + 1)
		add_rule(ruleset, attr.fs, at);
	if (syscall(NR_LANDLOCK_RESTRICT, ruleset, 0) < 0)
		die_errno("cannot put Landlock in force");
	close(ruleset);
}

static void filter_calls(char *bytes, size_t size)
{
	struct sock_fprog program = {
		.len = (unsigned short)(size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)bytes,
	};

	if (size == 0 || size % sizeof(struct sock_filter) || size > FILTER_MAX)
		die("confine: no filter of %zu bytes", size);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		die_errno("cannot put the filter of system calls in force");
}

void confine(const char *rules, const char *filter)
{
	size_t rules_size, filter_size;
	char *text = read_whole(rules, RULES_MAX, &rules_size);
	char *bytes = read_whole(filter, FILTER_MAX, &filter_size);
	const char *mask;

	for (const char *at = text; at < text + rules_size; at += strlen(at) + 1)
		if ((mask = rest(at, "caps")))
			bound_capabilities(mask);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die_errno("cannot set no_new_privs");
	restrict_files(text, rules_size);
	filter_calls(bytes, filter_size);
	free(text);
	free(bytes);
}
