/* SPDX-License-Identifier: Apache-2.0 */
/* Overlays with any number of lower directories, by fsopen (one string a
 * directory) or by mount(2), whose options must fit into one page. */
#ifndef TRANSHIP_ENTER_OVERLAY_H
#define TRANSHIP_ENTER_OVERLAY_H

#include "options.h"

/* overlay_open() - open every directory of @o; @base: see struct config. */
void overlay_open(struct overlay *o, int base);
/* overlay_detached() - a mount that is not attached anywhere; -1 where the
 * kernel cannot. */
int overlay_detached(const struct op *op);
/* overlay_mount() - the old way, straight onto @target. */
void overlay_mount(const struct op *op, const char *target);

#endif
