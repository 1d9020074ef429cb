/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of file systems that the kernel makes: what an instance sees of the
 * machine, and what of it is covered. */
#ifndef TRANSHIP_ENTER_KERNEL_FS_H
#define TRANSHIP_ENTER_KERNEL_FS_H

#include "options.h"

/* mount_proc() - of the pid namespace we are in; what writes to the kernel is
 * read-only. */
void mount_proc(const struct op *op);
void mount_sys(const struct op *op);
/* mount_dev() - a tmpfs with the few devices, pts and shm. */
void mount_dev(const struct op *op);
void mount_tmpfs(const struct op *op);
/* hide_cgroup2() - crun refuses a hybrid machine whose cgroup v2 tree offers
 * controllers. A device that reads as nothing in the place of their list needs
 * no file. */
void hide_cgroup2(const struct op *op);

#endif
