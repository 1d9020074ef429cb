/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root that chroot() has set. The kernel's must stay where it was, since
 * rules lead outside of it: so it is the location where walks of paths begin,
 * and beyond which ".." does not go.
 */
#ifndef TRANSHIP_ENGINE_ROOT_H
#define TRANSHIP_ENGINE_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "thread.h"

/* root_start() - @location is what root_location() said before execve(). */
void root_start(const char *location);
/* root_add() - answers chroot(), where there are rules. */
void root_add(void);
/* root_location() - of the calling thread; empty where it is "/". */
const char *root_location(void);
/* root_changed() - whether it is another than "/". */
bool root_changed(void);
/* root_begin() - a walk starts there: its length; @location becomes it. */
size_t root_begin(char *location);
/* root_is() - whether @location of @n bytes is the root: ".." ends there. */
bool root_is(const char *location, size_t n);
/* root_link() - whether @location is /proc/self/root, or that of this process
 * by its number. */
bool root_link(const char *location);
/* root_name() - @location as it is called below the root, in place; false where
 * it is not below. */
bool root_name(char *location);
/* root_child() - a new thread or child of vfork() in this memory: with @shared
 * it has the same root, and else a copy. */
void root_child(struct thread *child, struct thread *parent, bool shared);

#endif
