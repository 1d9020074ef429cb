/* SPDX-License-Identifier: Apache-2.0 */
/* A user namespace for an instance that the host's root starts, and mounts that
 * show files with their owners as its ids. */
#ifndef TRANSHIP_ENTER_USERNS_H
#define TRANSHIP_ENTER_USERNS_H

#include "options.h"

/* userns_make() - ids from 0 on inside are those from c->userns_first on here.
 * In the caller's namespaces; we stay outside. */
void userns_make(struct config *c);

/*
 * userns_show() - a memory file system over c->userns_dir, whose paths every
 * user can walk, with the namespace at "userns" in it for who is to join it. The
 * kernel keeps it as long as the mount namespace that we are in.
 */
void userns_show(const struct config *c);

/* userns_network() - enter a new network namespace that belongs to it. */
void userns_network(const struct config *c);

/**
 * userns_mapped() - what lies at @source, with its owners as ids of the
 * namespace. Return: a mount that is not attached yet.
 */
int userns_mapped(const struct config *c, const char *source);

/*
 * userns_act() - make files as its root where @inside, as ourselves where not,
 * with all capabilities both times: an overlay keeps who has mounted it, and
 * writes as that one into directories whose owners are mapped.
 */
void userns_act(const struct config *c, bool inside);

#endif
