// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "die.h"
#include "overlay.h"
#include "paths.h"
#include "report.h"
#include "sys.h"

/* mount(2) copies one page, whatever its size; 4096 is the least. */
#define MOUNT_OPTIONS_MAX 4095

/*
 * What an overlay does otherwise than a plain file system, without these: the
 * rename of a directory of a lower layer fails with EXDEV, and one name of a
 * file that has two becomes a file of its own when it is written. A redirect
 * only ever names a directory of the same lower layers; their xattrs that say
 * so are not unpacked from images. No metadata-only copies are made or
 * followed: an upper directory can be read as plain files.
 */
#define OPTION_COUNT 3

struct overlay_option {
	const char *key, *value;
};

static void choose_options(const struct overlay *o,
			   struct overlay_option chosen[OPTION_COUNT])
{
	chosen[0].key = "redirect_dir";
	chosen[0].value = o->renames ? "on" : "nofollow";
	chosen[1].key = "metacopy";
	chosen[1].value = "off";
	chosen[2].key = "index";
	chosen[2].value = o->links ? "on" : "off";
}

static int open_dir(int base, const char *path)
{
	int fd = openat(base, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fail_errno("overlay: cannot open directory %s", path);
	return fd;
}

static int open_lower(const struct overlay *o, int base, size_t i)
{
	cleanup_fd int root = -1;
	int fd;

	if (!o->roots[i])
		return open_dir(base, o->lowers[i]);
	root = open_dir(base, o->roots[i]);
	fd = open_in_root(root, o->lowers[i]);
	if (fd < 0)
		fail_errno("overlay: cannot open %s in %s", o->lowers[i],
			   o->roots[i]);
	return fd;
}

void overlay_open(struct overlay *o, int base)
{
	o->fds = calloc(o->count + 2, sizeof(*o->fds));
	if (!o->fds)
		fail_errno("cannot allocate memory");
	for (size_t i = 0; i < o->count; i++)
		o->fds[i] = open_lower(o, base, i);
	o->fds[o->count] = o->upper ? open_dir(base, o->upper) : -1;
	o->fds[o->count + 1] = o->work ? open_dir(base, o->work) : -1;
}

/* By its descriptor: who lives on the overlay reads its options in mount
 * tables, and paths of the host are nothing to it. */
static int add_dir(int fs, const char *key, int fd)
{
	char path[FD_PATH_SIZE];

	fd_path(path, fd);
	return sys_fsconfig(fs, TR_FSCONFIG_SET_STRING, key, path);
}

__attribute__((noreturn))
static void fail_overlay(int fs, const struct op *op, const char *what)
{
	int saved = errno;
	char text[512];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	errno = saved;
	fail_errno("cannot mount overlay at %s: %s%s%s", op->target, what,
		   n > 0 ? ": " : "", text);
}

/* in_user_namespace() - where we are not the host's root, an overlay may keep
 * its marks only in attributes of users, and follows no redirects. */
static bool in_user_namespace(void)
{
	static int known = -1;
	char text[64] = "";
	int fd;
	ssize_t n;
	unsigned int inside, outside, count;

	if (known >= 0)
		return known;
	fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	known = n > 0 && (sscanf(text, "%u %u %u", &inside, &outside,
				 &count) != 3 ||
			  outside != 0 || count != UINT32_MAX);
	return known;
}

static void set_options(int fs, const struct op *op)
{
	struct overlay_option chosen[OPTION_COUNT];

	choose_options(&op->overlay, chosen);
	if (in_user_namespace()) {
		chosen[0].value = "nofollow";
		if (sys_fsconfig(fs, TR_FSCONFIG_SET_FLAG, "userxattr",
				 NULL) < 0)
			fail_overlay(fs, op, "userxattr");
	}
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (sys_fsconfig(fs, TR_FSCONFIG_SET_STRING, chosen[i].key,
				 chosen[i].value) < 0)
			fail_overlay(fs, op, chosen[i].key);
	if (op->overlay.sync_off && sys_fsconfig(fs, TR_FSCONFIG_SET_FLAG,
						 "volatile", NULL) < 0)
		fail_overlay(fs, op, "volatile");
}

int overlay_detached(const struct op *op)
{
	const struct overlay *o = &op->overlay;
	int fs = sys_fsopen("overlay");
	unsigned int attr = 0;
	int mount_fd;

	if (fs < 0 && (errno == ENOSYS || errno == EPERM))
		return -1;
	if (fs < 0)
		fail_errno("cannot mount overlay at %s", op->target);
	for (size_t i = 0; i < o->count; i++) {
		if (add_dir(fs, "lowerdir+", o->fds[i]) == 0)
			continue;
		/* Before 6.8 the key is unknown. */
		if (i == 0 && errno == EINVAL) {
			close(fs);
			return -1;
		}
		fail_overlay(fs, op, o->lowers[i]);
	}
	if (o->fds[o->count] >= 0 &&
	    (add_dir(fs, "upperdir", o->fds[o->count]) < 0 ||
	     add_dir(fs, "workdir", o->fds[o->count + 1]) < 0))
		fail_overlay(fs, op, "upper or work directory");
	set_options(fs, op);
	sys_fsconfig(fs, TR_FSCONFIG_SET_STRING, "source",
		     o->source ? o->source : "tranship");
	if (sys_fsconfig(fs, TR_FSCONFIG_CMD_CREATE, NULL, NULL) < 0) {
		/* Before 6.5 every key is taken, and looked at only now. What
		 * is wrong indeed is told by mount(2), too. */
		if (errno != EINVAL)
			fail_overlay(fs, op, "refused");
		close(fs);
		return -1;
	}
	attr |= o->nodev ? TR_MOUNT_ATTR_NODEV : 0;
	attr |= o->nosuid ? TR_MOUNT_ATTR_NOSUID : 0;
	attr |= o->read_only ? TR_MOUNT_ATTR_RDONLY : 0;
	mount_fd = sys_fsmount(fs, attr);
	if (mount_fd < 0)
		fail_overlay(fs, op, "fsmount");
	close(fs);
	overlay_api = OVERLAY_FSCONFIG;
	return mount_fd;
}

static size_t append(char *options, size_t used, const char *text)
{
	size_t n = strlen(text);

	if (used + n > MOUNT_OPTIONS_MAX)
		fail("too many lower directories for this kernel: the mount "
		     "options pass %d bytes", MOUNT_OPTIONS_MAX);
	memcpy(options + used, text, n + 1);
	return used + n;
}

void overlay_mount(const struct op *op, const char *target)
{
	const struct overlay *o = &op->overlay;
	char options[MOUNT_OPTIONS_MAX + 1], dir[FD_PATH_SIZE];
	struct overlay_option chosen[OPTION_COUNT];
	unsigned long flags = (o->nodev ? MS_NODEV : 0) |
			      (o->nosuid ? MS_NOSUID : 0) |
			      (o->read_only ? MS_RDONLY : 0);
	size_t used = append(options, 0, "lowerdir=");

	for (size_t i = 0; i < o->count; i++) {
		fd_path(dir, o->fds[i]);
		if (i > 0)
			used = append(options, used, ":");
		used = append(options, used, dir);
	}
	if (o->fds[o->count] >= 0) {
		fd_path(dir, o->fds[o->count]);
		used = append(options, used, ",upperdir=");
		used = append(options, used, dir);
		fd_path(dir, o->fds[o->count + 1]);
		used = append(options, used, ",workdir=");
		used = append(options, used, dir);
	}
	choose_options(o, chosen);
	if (in_user_namespace()) {
		chosen[0].value = "nofollow";
		used = append(options, used, ",userxattr");
	}
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		used = append(options, used, ",");
		used = append(options, used, chosen[i].key);
		used = append(options, used, "=");
		used = append(options, used, chosen[i].value);
	}
	if (o->sync_off)
		append(options, used, ",volatile");
	if (mount(o->source ? o->source : "tranship", target, "overlay", flags,
		  options) < 0)
		fail_errno("cannot mount overlay at %s", op->target);
	overlay_api = OVERLAY_MOUNT;
}
