// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. We stay the host's root, who may mount and plug in; what is to belong
 * to the user namespace is made by a child inside of it and taken over by its
 * descriptor. Files keep their owners on the disk: a mount shows the owner N as
 * the id that N is inside, and writes it back, so that nothing on the disk
 * depends on which ids an instance has been lent.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/utsname.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "die.h"
#include "report.h"
#include "sys.h"
#include "userns.h"

#define TR_MOUNT_ATTR_IDMAP 0x100000U

static void write_map(pid_t child, const char *name, const struct config *c)
{
	char path[64], text[64];
	cleanup_fd int fd = -1;
	int n = snprintf(text, sizeof(text), "0 %u %u", c->userns_first,
			 c->userns_count);

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)child, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		fail_errno("cannot lend the ids %u to %u to a user namespace",
			   c->userns_first,
			   c->userns_first + c->userns_count - 1);
}

void userns_make(struct config *c)
{
	int hold[2], status;
	char path[64], byte;
	pid_t child;

	if (pipe2(hold, O_CLOEXEC) < 0)
		fail_errno("pipe");
	child = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		fail_errno("cannot make a user namespace");
	if (child == 0) {
		close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : EXIT_SETUP);
	}
	close(hold[0]);
	write_map(child, "uid_map", c);
	write_map(child, "gid_map", c);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
	c->userns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (c->userns_fd < 0)
		fail_errno("cannot hold a user namespace");
	close(hold[1]);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			fail_errno("waitpid");
}

void userns_show(const struct config *c)
{
	char from[64], file[PATH_MAX];
	int fd;

	if (mount("tranship", c->userns_dir, "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=755") < 0)
		fail_errno("cannot mount tmpfs at %s", c->userns_dir);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", c->userns_fd);
	snprintf(file, sizeof(file), "%s/userns", c->userns_dir);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	if (fd < 0 || close(fd) < 0 ||
	    mount(from, file, NULL, MS_BIND, NULL) < 0)
		fail_errno("cannot show a user namespace at %s", file);
}

void userns_network(const struct config *c)
{
	int result[2], status, fd;
	pid_t child;

	if (pipe2(result, O_CLOEXEC) < 0)
		fail_errno("pipe");
	/* It shares our descriptors, and leaves one behind. */
	child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		fail_errno("clone");
	if (child == 0) {
		if (setns(c->userns_fd, CLONE_NEWUSER) < 0 ||
		    unshare(CLONE_NEWNET) < 0)
			fail_errno("cannot make a network in a user namespace");
		fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fail_errno("cannot hold a network");
		_exit(write(result[1], &fd, sizeof(fd)) == sizeof(fd) ?
		      0 : EXIT_SETUP);
	}
	if (waitpid(child, &status, 0) != child || status != 0)
		_exit(EXIT_SETUP);
	if (read(result[0], &fd, sizeof(fd)) != sizeof(fd))
		fail_errno("cannot receive a network");
	close(result[0]);
	close(result[1]);
	if (setns(fd, CLONE_NEWNET) < 0)
		fail_errno("cannot enter a network");
	close(fd);
}

/* fail_unmapped() - which file system, which kernel, and what would do. */
__attribute__((noreturn))
static void fail_unmapped(const char *source)
{
	static const struct {
		long magic;
		const char *name, *since;
	} known[] = {
		{ 0xef53, "ext4", "5.12" }, { 0x58465342, "XFS", "5.12" },
		{ 0x9123683e, "btrfs", "5.15" }, { 0xf2f52010, "f2fs", "5.16" },
		{ 0x01021994, "tmpfs", "6.3" }, { 0x794c7630, "overlay", NULL },
		{ 0x6969, "NFS", NULL }, { 0x2fc12fc1, "ZFS", NULL },
		{ 0x65735546, "FUSE", NULL },
	};
	struct utsname name = { 0 };
	struct statfs fs = { 0 };

	uname(&name);
	statfs(source, &fs);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].magic == (long)fs.f_type)
			fail("the owners of %s cannot be mapped into a user "
			     "namespace: it lies on %s, which has %s%s; this "
			     "kernel is %s. The state has to lie on ext4, XFS "
			     "or btrfs, or leave out --userns",
			     source, known[i].name,
			     known[i].since ? "idmapped mounts since kernel " :
					      "no idmapped mounts",
			     known[i].since ? known[i].since : "",
			     name.release);
	fail("the owners of %s cannot be mapped into a user namespace: its file "
	     "system (0x%lx) or this kernel (%s) has no idmapped mounts. The "
	     "state has to lie on ext4, XFS or btrfs, or leave out --userns",
	     source, (unsigned long)fs.f_type, name.release);
}

int userns_mapped(const struct config *c, const char *source)
{
	const struct tr_mount_attr attr = {
		.attr_set = TR_MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)c->userns_fd,
	};
	int fd = sys_open_tree(AT_FDCWD, source, TR_OPEN_TREE_CLONE | O_CLOEXEC);

	if (fd < 0)
		fail_errno("cannot take %s", source);
	if (sys_mount_setattr(fd, 0, &attr) < 0) {
		if (errno == ENOSYS || errno == EINVAL)
			fail_unmapped(source);
		fail_errno("cannot map the owners of %s", source);
	}
	return fd;
}

/* The kernel takes those of files away from who is not root there. */
static void all_permitted(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		fail_errno("capget");
	data[0].effective = data[0].permitted;
	data[1].effective = data[1].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		fail_errno("capset");
}

void userns_act(const struct config *c, bool inside)
{
	unsigned int id = inside ? c->userns_first : 0;

	setfsgid(id);
	setfsuid(id);
	all_permitted();
}
