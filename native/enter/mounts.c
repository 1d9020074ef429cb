// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "die.h"
#include "disk.h"
#include "mounts.h"
#include "overlay.h"
#include "report.h"
#include "sys.h"
#include "userns.h"

/* Where the tree of the caller is seen: "" until mounts_stage(). */
static const char *host_prefix = "";
/* The tree being built; "/" itself in `launch`. */
static int root_fd = -1;

void fd_path(char buf[FD_PATH_SIZE], int fd)
{
	snprintf(buf, FD_PATH_SIZE, "%s/proc/self/fd/%d", host_prefix, fd);
}

static bool is_directory(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail_errno("fstat");
	return S_ISDIR(st.st_mode);
}

/* walk_in_root() - for kernels without openat2: links are refused. */
static int walk_in_root(int root, const char *path)
{
	int at = fcntl(root, F_DUPFD_CLOEXEC, 3);
	char name[NAME_MAX + 1];

	while (at >= 0 && *path) {
		size_t n = strcspn(path, "/");
		struct stat st;
		int fd;

		if (n > NAME_MAX) {
			errno = ENAMETOOLONG;
			break;
		}
		memcpy(name, path, n);
		name[n] = 0;
		path += n + (path[n] == '/');
		if (n == 0 || strcmp(name, ".") == 0)
			continue;
		fd = -1;
		errno = ELOOP;
		if (strcmp(name, "..") != 0)
			fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISLNK(st.st_mode))) {
			close(fd);
			fd = -1;
			errno = ELOOP;
		}
		if (fd < 0)
			break;
		close(at);
		at = fd;
		if (!*path)
			return at;
	}
	if (at >= 0 && !*path)
		return at;
	if (at >= 0) {
		int saved = errno;

		close(at);
		errno = saved;
	}
	return -1;
}

int open_in_root(int root, const char *path)
{
	const struct tr_open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = TR_RESOLVE_IN_ROOT | TR_RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	do {
		fd = sys_openat2(root, path, &how);
	} while (fd < 0 && errno == EAGAIN);
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return walk_in_root(root, path);
	return fd;
}

static int open_parent(const char *path, const char **name);

/* target_open() - the place to mount at, made (with its parents) if absent. */
static int target_open(const char *path, bool dir)
{
	int fd = open_in_root(root_fd, path);
	cleanup_fd int parent = -1;
	const char *name;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		fail_errno("cannot open %s", path);
	parent = open_parent(path, &name);
	if (dir) {
		if (mkdirat(parent, name, 0755) < 0)
			fail_errno("cannot make directory %s", path);
	} else {
		fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL |
			    O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0)
			fail_errno("cannot make file %s", path);
		close(fd);
	}
	fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		fail_errno("cannot open %s", path);
	return fd;
}

static int open_parent(const char *path, const char **name)
{
	cleanup_free char *parent = strdup(path);
	size_t n = strlen(path);

	if (!parent)
		fail_errno("cannot allocate memory");
	while (n > 0 && path[n - 1] != '/')
		n--;
	*name = path + n;
	if (**name == 0 || strcmp(*name, "..") == 0 || strcmp(*name, ".") == 0)
		fail("not a plain path to mount at: %s", path);
	parent[n > 1 ? n - 1 : 1] = 0;
	return target_open(parent, true);
}

static int reopen_root(void)
{
	int fd = open(*host_prefix ? "/newroot" : "/",
		      O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_errno("cannot open the new root");
	if (root_fd >= 0)
		close(root_fd);
	root_fd = fd;
	return fd;
}

static void mount_at(int fd, const char *path, const char *type,
		     unsigned long flags, const char *options)
{
	char target[FD_PATH_SIZE];

	fd_path(target, fd);
	if (mount(type, target, type, flags, options) < 0)
		fail_errno("cannot mount %s at %s", type, path);
}

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

/* set_read_only() - the mount whose root @fd is, and where the kernel can
 * (5.12) all below it. Return: whether those below are included. */
static bool set_read_only(int fd, const char *path)
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

static int target_of(const struct op *op, bool dir)
{
	if (strcmp(op->target, "/") == 0)
		return reopen_root();
	return target_open(op->target, dir);
}

static void bind_over(int source, int target, const char *path, bool recurse)
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

static void do_bind(const struct op *op)
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

/* do_bind_within() - no link in the source leads out of its root. */
static void do_bind_within(struct op *op)
{
	cleanup_fd int root = open(op->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		fail_errno("cannot open %s", op->root);
	op->fd = open_in_root(root, op->source);
	if (op->fd < 0)
		fail_errno("cannot open %s in %s", op->source, op->root);
	op->is_dir = is_directory(op->fd);
	do_bind(op);
	close(op->fd);
	op->fd = -1;
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
		op->fd = overlay_detached(op, false);
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

/* Writing there changes the kernel that the host runs on. */
static void cover_proc(const struct op *op)
{
	const char *const names[] = { "sys", "sysrq-trigger", "irq", "bus" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[PATH_MAX];
		int fd;

		snprintf(path, sizeof(path), "%s/%s", op->target, names[i]);
		fd = open_in_root(root_fd, path);
		if (fd < 0)
			continue;
		bind_over(fd, fd, path, false);
		close(fd);
		fd = target_open(path, true);
		set_read_only(fd, path);
		close(fd);
	}
}

static void do_proc(const struct op *op)
{
	mount_at(target_of(op, true), op->target, "proc",
		 MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL);
	cover_proc(op);
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

static void do_dev(const struct op *op)
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

static void do_tmpfs(const struct op *op)
{
	char options[32];

	snprintf(options, sizeof(options), "mode=%o", (unsigned int)op->mode);
	mount_at(target_of(op, true), op->target, "tmpfs",
		 MS_NOSUID | MS_NODEV, options);
}

static void do_dir(const struct op *op)
{
	char path[FD_PATH_SIZE];
	int fd = target_of(op, true);

	fd_path(path, fd);
	if (!is_directory(fd) || chmod(path, op->mode) < 0)
		fail_errno("cannot make directory %s", op->target);
}

/*
 * crun refuses a hybrid machine whose cgroup v2 tree offers controllers. A
 * device that reads as nothing in the place of their list needs no file.
 */
static void do_hide_cgroup2(const struct op *op)
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

static void perform(struct config *c, struct op *op)
{
	switch (op->type) {
	case OP_OVERLAY:
		do_overlay(c, op);
		break;
	case OP_BIND:
	case OP_BIND_FROM:
		do_bind(op);
		break;
	case OP_BIND_WITHIN:
		do_bind_within(op);
		break;
	case OP_TMPFS:
		do_tmpfs(op);
		break;
	case OP_PROC:
		do_proc(op);
		break;
	case OP_DEV:
		do_dev(op);
		break;
	case OP_SYS:
		mount_at(target_of(op, true), op->target, "sysfs",
			 MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, NULL);
		break;
	case OP_DIR:
		do_dir(op);
		break;
	case OP_HIDE_CGROUP2:
		do_hide_cgroup2(op);
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
		reopen_root();
		perform(c, &c->ops[i]);
	}
	umask(mask);
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

void mounts_fetch(struct config *c)
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

	reopen_root();
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
				op->fd = overlay_detached(op, true);
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
