/* SPDX-License-Identifier: Apache-2.0 */
/* A file system in a file, mounted where only our mount namespace sees it. */
#ifndef TRANSHIP_ENTER_DISK_H
#define TRANSHIP_ENTER_DISK_H

/* disk_mount() - the ext4 of the file @image at the directory @target, with
 * directories "upper" and "work" in it. The loop device goes with the mount. */
void disk_mount(const char *image, const char *target);

#endif
