// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind.h"
#include "die.h"
#include "disk.h"
#include "kernel-fs.h"
#include "mounts.h"
#include "overlay.h"
#include "paths.h"
#include "report.h"
#include "sys.h"
#include "userns.h"

static void scratch_dirs(struct op *op)
{
	static int count;
	char path[64];
	const char *const names[] = { "upper", "work" };

	snprintf(path, sizeof(path), "/scratch%d", count++);
	if (mkdir(path, 0755) < 0)
		fail_errno("cannot make a scratch directory");
	for (int i = 0; i < 2; i++) {
		char dir[80];
		int fd;

		snprintf(dir, sizeof(dir), "%s/%s", path, names[i]);
		if (mkdir(dir, 0755) < 0)
			fail_errno("cannot make a scratch directory");
		fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fail_errno("cannot open %s", dir);
		op->overlay.fds[op->overlay.count + (size_t)i] = fd;
	}
}

static void attach_overlay(struct op *op, bool old_api, int base)
{
	int target = target_of(op, true);
	char path[FD_PATH_SIZE];

	if (op->overlay.has_roots)
		overlay_open(&op->overlay, base);
	if (op->overlay.scratch)
		scratch_dirs(op);
	if (op->fd < 0 && !old_api)
		op->fd = overlay_detached(op);
	if (op->fd >= 0) {
		if (sys_move_mount(op->fd, target) < 0)
			fail_errno("cannot attach overlay at %s", op->target);
		return;
	}
	fd_path(path, target);
	overlay_mount(op, path);
}

static void do_overlay(const struct config *c, struct op *op)
{
	if (c->userns_dir)
		userns_act(c, true);
	attach_overlay(op, c->old_mount_api, c->base_fd);
	if (c->userns_dir)
		userns_act(c, false);
}

/* Its place may be made on a mount that shows owners as ids of the namespace,
 * where this host's root is nobody who could own it. */
static void do_within(const struct config *c, struct op *op)
{
	if (c->userns_dir)
		userns_act(c, true);
	bind_within(op);
	if (c->userns_dir)
		userns_act(c, false);
}

static void do_dir(const struct op *op)
{
	char path[FD_PATH_SIZE];
	int fd = target_of(op, true);

	fd_path(path, fd);
	if (!is_directory(fd) || chmod(path, op->mode) < 0)
		fail_errno("cannot make directory %s", op->target);
}

static void perform(struct config *c, struct op *op)
{
	switch (op->type) {
	case OP_OVERLAY:
		do_overlay(c, op);
		break;
	case OP_BIND:
	case OP_BIND_FROM:
		bind_op(op);
		break;
	case OP_BIND_WITHIN:
		do_within(c, op);
		break;
	case OP_TMPFS:
		mount_tmpfs(op);
		break;
	case OP_PROC:
		mount_proc(op);
		break;
	case OP_DEV:
		mount_dev(op);
		break;
	case OP_SYS:
		mount_sys(op);
		break;
	case OP_DIR:
		do_dir(op);
		break;
	case OP_HIDE_CGROUP2:
		hide_cgroup2(op);
		break;
	case OP_DISK:
	case OP_IDMAP:
		break;		/* mounted when it was opened */
	}
}

void mounts_perform(struct config *c)
{
	mode_t mask = umask(0);

	for (size_t i = 0; i < c->op_count; i++) {
		root_reopen();
		perform(c, &c->ops[i]);
	}
	umask(mask);
}

void mounts_private(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		fail_errno("cannot make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		fail_errno("cannot make the mount namespace private");
}

static void attach_mapped(const struct config *c, const struct op *op)
{
	cleanup_fd int fd = userns_mapped(c, op->source);
	mode_t mask = umask(0);
	int target;

	root_reopen();
	target = target_open(op->target, is_directory(fd));
	umask(mask);
	if (sys_move_mount(fd, target) < 0)
		fail_errno("cannot mount %s at %s", op->source, op->target);
	close(target);
}

void mounts_open(struct config *c)
{
	for (size_t i = 0; i < c->op_count; i++) {
		struct op *op = &c->ops[i];

		if (op->type == OP_DISK) {
			/* Now: an overlay after it has its directories there. */
			disk_mount(op->source, op->target);
		} else if (op->type == OP_IDMAP) {
			/* As with a disk. */
			attach_mapped(c, op);
		} else if (op->type == OP_OVERLAY) {
			if (op->overlay.has_roots)
				continue;
			overlay_open(&op->overlay, c->base_fd);
			/* Else when its turn comes. */
			if (!op->overlay.scratch && !c->old_mount_api &&
			    !c->userns_dir)
				op->fd = overlay_detached(op);
		} else if (op->type == OP_BIND) {
			op->fd = open(op->source, O_PATH | O_CLOEXEC);
			if (op->fd < 0)
				fail_errno("cannot open %s", op->source);
			op->is_dir = is_directory(op->fd);
		}
	}
}

void mounts_stage(void)
{
	static const char *const places[] = { "/tmp", "/run", "/mnt", "/dev" };
	size_t i = 0;

	while (i < 4 && mount("tranship", places[i], "tmpfs",
			      MS_NOSUID | MS_NODEV, "mode=755") < 0)
		i++;
	if (i == 4)
		fail_errno("cannot mount a tmpfs to build the root in");
	if (chdir(places[i]) < 0 || mkdir("newroot", 0755) < 0 ||
	    mkdir("oldroot", 0755) < 0)
		fail_errno("cannot make the stage");
	if (sys_pivot_root(".", "oldroot") < 0)
		fail_errno("cannot enter the stage");
	if (chdir("/") < 0)
		fail_errno("chdir");
	host_prefix = "/oldroot";
}

void mounts_finish(void)
{
	if (mount(NULL, "/oldroot", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    umount2("/oldroot", MNT_DETACH) < 0)
		fail_errno("cannot leave the old root");
	/* The stage goes under the new root and is then let go. */
	if (chdir("/newroot") < 0 || sys_pivot_root(".", ".") < 0)
		fail_errno("cannot enter the new root");
	if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		fail_errno("cannot let go of the stage");
}
