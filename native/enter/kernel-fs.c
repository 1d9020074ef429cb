// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bind.h"
#include "die.h"
#include "kernel-fs.h"
#include "paths.h"
#include "report.h"

static void mount_at(int fd, const char *path, const char *type,
		     unsigned long flags, const char *options)
{
	char target[FD_PATH_SIZE];

	fd_path(target, fd);
	if (mount(type, target, type, flags, options) < 0)
		fail_errno("cannot mount %s at %s", type, path);
}

/* Writing there changes the kernel that the host runs on. */
static void cover_proc(const struct op *op)
{
	const char *const names[] = { "sys", "sysrq-trigger", "irq", "bus" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", op->target, names[i]);
		fd = target_find(path);
		if (fd < 0)
			continue;
		bind_over(fd, fd, path, false);
		close(fd);
		fd = target_open(path, true);
		set_read_only(fd, path);
		close(fd);
	}
}

void mount_proc(const struct op *op)
{
	mount_at(target_of(op, true), op->target, "proc",
		 MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	cover_proc(op);
}

void mount_sys(const struct op *op)
{
	mount_at(target_of(op, true), op->target, "sysfs",
		 MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
}

static void make_node(int dev, const char *name, unsigned int minor_number,
		      unsigned int major_number)
{
	char host[64];
	int fd, source;

	if (mknodat(dev, name, S_IFCHR | 0666,
		    makedev(major_number, minor_number)) == 0) {
		fd = openat(dev, name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
		/* tty: no controlling terminal here is not a fault. */
		if (fd >= 0 || errno == ENXIO) {
			if (fd >= 0)
				close(fd);
			return;
		}
		unlinkat(dev, name, 0);
	}
	/* Not allowed to make or to use nodes: borrow the host's. */
	snprintf(host, sizeof(host), "%s/dev/%s", host_prefix, name);
	source = open(host, O_PATH | O_CLOEXEC);
	fd = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (source < 0 || fd < 0)
		fail_errno("cannot provide /dev/%s", name);
	bind_over(source, fd, host, false);
	close(source);
	close(fd);
}

static int sub_dir(int dev, const char *name)
{
	int fd;

	if (mkdirat(dev, name, 0755) < 0 && errno != EEXIST)
		fail_errno("cannot make /dev/%s", name);
	fd = openat(dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("cannot open /dev/%s", name);
	return fd;
}

void mount_dev(const struct op *op)
{
	static const struct {
		const char *name;
		unsigned int major_number, minor_number;
	} nodes[] = {
		{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
		{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" },
	};
	char target[FD_PATH_SIZE];
	int dev, pts;

	mount_at(target_of(op, true), op->target, "tmpfs",
		 MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
	dev = target_of(op, true);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		make_node(dev, nodes[i].name, nodes[i].minor_number,
			  nodes[i].major_number);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			fail_errno("cannot make /dev/%s", links[i][1]);
	pts = sub_dir(dev, "pts");
	fd_path(target, pts);
	/* 5 is the group tty everywhere; a user namespace may not map it. */
	if (mount("devpts", target, "devpts", MS_NOSUID | MS_NOEXEC,
		  "newinstance,ptmxmode=0666,mode=0620,gid=5") < 0)
		mount_at(pts, "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
			 "newinstance,ptmxmode=0666,mode=0620");
	mount_at(sub_dir(dev, "shm"), "/dev/shm", "tmpfs",
		 MS_NOSUID | MS_NODEV, "mode=1777");
}

void mount_tmpfs(const struct op *op)
{
	char options[32];

	snprintf(options, sizeof(options), "mode=%o", (unsigned int)op->mode);
	mount_at(target_of(op, true), op->target, "tmpfs",
		 MS_NOSUID | MS_NODEV, options);
}

void hide_cgroup2(const struct op *op)
{
	cleanup_fd int fd = open(op->target, O_RDONLY | O_CLOEXEC);
	cleanup_fd int null = open("/dev/null", O_PATH | O_CLOEXEC);
	char byte;

	if (fd < 0 || read(fd, &byte, 1) <= 0)
		return;
	if (null < 0)
		fail_errno("cannot open /dev/null");
	bind_over(null, fd, op->target, false);
}
