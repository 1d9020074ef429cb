// SPDX-License-Identifier: Apache-2.0
/*
 * Theory. A file that two loop devices show at once is destroyed by them, so
 * whoever mounts it takes the device that shows it already, if there is one;
 * a lock on the file keeps two from looking at the same time. The device is
 * told to go with its last user, and the mount is in a namespace of ours: kill
 * -9 of anyone leaves neither.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "die.h"
#include "disk.h"
#include "report.h"

#define LOOPS_MAX 4096
#define TRIES_MAX 64

static void loop_path(char path[32], int number)
{
	snprintf(path, 32, "/dev/loop%d", number);
}

/* shows() - @device is a loop device that shows the file @st. */
static bool shows(int device, const struct stat *st)
{
	struct loop_info64 info;

	return ioctl(device, LOOP_GET_STATUS64, &info) == 0 &&
	       info.lo_inode == st->st_ino &&
	       major(info.lo_device) == major(st->st_dev) &&
	       minor(info.lo_device) == minor(st->st_dev);
}

/* find_loop() - Return: -1 where no device shows the file. */
static int find_loop(const struct stat *st, char path[32])
{
	for (int i = 0; i < LOOPS_MAX; i++) {
		char backing[64];
		int fd;

		snprintf(backing, sizeof(backing), "/sys/block/loop%d", i);
		if (access(backing, F_OK) < 0)
			return -1;
		snprintf(backing, sizeof(backing),
			 "/sys/block/loop%d/loop/backing_file", i);
		if (access(backing, F_OK) < 0)
			continue;
		loop_path(path, i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && shows(fd, st))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -1;
}

/* set_up() - for kernels without LOOP_CONFIGURE (5.8). */
static int set_up(int device, int image)
{
	struct loop_info64 info = { .lo_flags = LO_FLAGS_AUTOCLEAR };

	if (ioctl(device, LOOP_SET_FD, image) < 0)
		return -1;
	if (ioctl(device, LOOP_SET_STATUS64, &info) == 0)
		return 0;
	ioctl(device, LOOP_CLR_FD, 0);
	return -1;
}

static int make_loop(int image, char path[32])
{
	struct loop_config config = {
		.fd = (uint32_t)image,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	cleanup_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (control < 0)
		fail_errno("cannot open /dev/loop-control");
	/* Others look for a free one too. */
	for (int i = 0; i < TRIES_MAX; i++) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);
		int fd;

		if (number < 0)
			break;
		loop_path(path, number);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			break;
		if (ioctl(fd, LOOP_CONFIGURE, &config) == 0)
			return fd;
		if ((errno == EINVAL || errno == ENOTTY) &&
		    set_up(fd, image) == 0)
			return fd;
		close(fd);
		if (errno != EBUSY)
			break;
	}
	fail_errno("no loop device can be had for the disk of the instance");
}

static void make_dir(int at, const char *name, mode_t mode)
{
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		fail_errno("cannot make %s on the disk of the instance", name);
}

void disk_mount(const char *image, const char *target)
{
	/* Not flock(): that would be the loop device's too, for as long as it
	 * has the file. */
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	cleanup_fd int file = open(image, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	char path[32];
	mode_t mask = umask(0);
	int device, at;

	if (file < 0 || fstat(file, &st) < 0 || fcntl(file, F_SETLKW, &lock) < 0)
		fail_errno("cannot open %s", image);
	device = find_loop(&st, path);
	if (device < 0)
		device = make_loop(file, path);
	if (mount(path, target, "ext4", 0, "discard") < 0)
		fail_errno("cannot mount the disk %s", image);
	close(device);
	at = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		fail_errno("cannot open %s", target);
	make_dir(at, "upper", 0755);
	make_dir(at, "work", 0700);
	close(at);
	umask(mask);
}
