/* SPDX-License-Identifier: Apache-2.0 */
/* Binds: what is somewhere already shown at another place, of this mount
 * namespace or of another process's. */
#ifndef TRANSHIP_ENTER_BIND_H
#define TRANSHIP_ENTER_BIND_H

#include "options.h"

/* bind_fetch() - open the sources of OP_BIND_FROM; needs the namespaces of the
 * caller, so it comes before any unshare(). */
void bind_fetch(struct config *c);
/* bind_op() - of an opened source. */
void bind_op(const struct op *op);
/* bind_within() - no link in the source leads out of its root. */
void bind_within(struct op *op);

/* bind_over() - one descriptor over another; @path: for the message. */
void bind_over(int source, int target, const char *path, bool recurse);
/* set_read_only() - the mount whose root @fd is, and where the kernel can
 * (5.12) all below it. Return: whether those below are included. */
bool set_read_only(int fd, const char *path);

#endif
