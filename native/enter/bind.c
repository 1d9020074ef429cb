// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind.h"
#include "die.h"
#include "paths.h"
#include "report.h"
#include "sys.h"

/* The flags that a mount has must be said again when it is mounted anew. */
static unsigned long kept_flags(int fd)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0)
		fail_errno("statvfs");
	return (st.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
	       (st.f_flag & ST_NODEV ? MS_NODEV : 0) |
	       (st.f_flag & ST_NOEXEC ? MS_NOEXEC : 0) |
	       (st.f_flag & ST_NOATIME ? MS_NOATIME : 0) |
	       (st.f_flag & ST_RELATIME ? MS_RELATIME : 0);
}

bool set_read_only(int fd, const char *path)
{
	const struct tr_mount_attr attr = { .attr_set = TR_MOUNT_ATTR_RDONLY };
	char target[FD_PATH_SIZE];

	if (sys_mount_setattr(fd, TR_AT_RECURSIVE, &attr) == 0)
		return true;
	if (errno != ENOSYS)
		fail_errno("cannot make %s read-only", path);
	fd_path(target, fd);
	if (mount(NULL, target, NULL,
		  MS_REMOUNT | MS_BIND | MS_RDONLY | kept_flags(fd), NULL) < 0)
		fail_errno("cannot make %s read-only", path);
	return false;
}

void bind_over(int source, int target, const char *path, bool recurse)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];

	fd_path(from, source);
	fd_path(to, target);
	if (mount(from, to, NULL, MS_BIND | (recurse ? MS_REC : 0), NULL) < 0)
		fail_errno("cannot bind at %s", path);
}

static bool can_set_attributes(void)
{
	return sys_mount_setattr(-1, 0, &(struct tr_mount_attr){ 0 }) == 0 ||
	       errno != ENOSYS;
}

void bind_op(const struct op *op)
{
	int target = target_of(op, op->is_dir);

	if (op->type == OP_BIND_FROM) {
		if (sys_move_mount(op->fd, target) < 0)
			fail_errno("cannot bind %s of process %d at %s",
				   op->source, (int)op->pid, op->target);
	} else {
		/* What cannot be made read-only is not shown at all. */
		bind_over(op->fd, target, op->target,
			  op->is_dir &&
			  (!op->read_only || can_set_attributes()));
	}
	if (op->read_only)
		set_read_only(target_of(op, op->is_dir), op->target);
}

void bind_within(struct op *op)
{
	cleanup_fd int root = open(op->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		fail_errno("cannot open %s", op->root);
	op->fd = open_in_root(root, op->source);
	if (op->fd < 0)
		fail_errno("cannot open %s in %s", op->source, op->root);
	op->is_dir = is_directory(op->fd);
	bind_op(op);
	close(op->fd);
	op->fd = -1;
}

/* fetch_one() - runs in a child that shares only our descriptors. */
static int fetch_one(const struct op *op)
{
	char path[64];
	int ns, root, fd, tree;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)op->pid);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)op->pid);
	root = open(path, O_PATH | O_CLOEXEC);
	if (ns < 0 || root < 0)
		fail_errno("cannot see the files of process %d", (int)op->pid);
	if (setns(ns, CLONE_NEWNS) < 0)
		fail_errno("cannot enter the mounts of process %d",
			   (int)op->pid);
	fd = open_in_root(root, op->source);
	if (fd < 0)
		fail_errno("cannot open %s of process %d", op->source,
			   (int)op->pid);
	tree = sys_open_tree(fd, "", TR_OPEN_TREE_CLONE | TR_AT_RECURSIVE |
			     TR_AT_EMPTY_PATH | O_CLOEXEC);
	if (tree < 0)
		fail_errno("cannot take %s of process %d", op->source,
			   (int)op->pid);
	close(ns);
	close(root);
	close(fd);
	return tree;
}

void bind_fetch(struct config *c)
{
	for (size_t i = 0; i < c->op_count; i++) {
		struct op *op = &c->ops[i];
		int result[2], status;
		pid_t pid;

		if (op->type != OP_BIND_FROM)
			continue;
		if (pipe2(result, O_CLOEXEC) < 0)
			fail_errno("pipe");
		/* setns() of mounts would lose our root and directory; a
		 * child that shares the descriptors loses its own. */
		pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0,
				     0);
		if (pid < 0)
			fail_errno("clone");
		if (pid == 0) {
			int fd = fetch_one(op);

			_exit(write(result[1], &fd, sizeof(fd)) ==
			      sizeof(fd) ? 0 : EXIT_SETUP);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(EXIT_SETUP);
		if (read(result[0], &op->fd, sizeof(op->fd)) !=
		    sizeof(op->fd))
			fail_errno("cannot receive a mount");
		close(result[0]);
		close(result[1]);
		op->is_dir = is_directory(op->fd);
	}
}
