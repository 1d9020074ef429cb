/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount operations. They are carried out in a mount namespace of our own
 * and in steps, because a source is named in the tree of the caller and
 * a target in the tree being built:
 *
 *   mounts_open()     sources are opened, overlays are made but not attached
 *   mounts_stage()    (sandbox) a tmpfs becomes "/", the old tree "/oldroot"
 *   mounts_perform()  each operation attaches its mount
 *   mounts_finish()   (sandbox) the new tree becomes "/", the old one goes
 */
#ifndef TRANSHIP_ENTER_MOUNTS_H
#define TRANSHIP_ENTER_MOUNTS_H

#include "options.h"

/* mounts_private() - a mount namespace of our own: what we mount is not seen
 * outside; what the host unmounts is still unmounted here (no device is kept
 * busy by us). */
void mounts_private(void);
void mounts_open(struct config *c);
void mounts_stage(void);
void mounts_perform(struct config *c);
void mounts_finish(void);

#endif
