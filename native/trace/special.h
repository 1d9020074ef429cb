/* SPDX-License-Identifier: Apache-2.0 */
/* Calls about more than paths: roots, rights and mounts; exec.h and sockets.h
 * have the larger ones. */
#ifndef TRANSHIP_TRACE_SPECIAL_H
#define TRANSHIP_TRACE_SPECIAL_H

#include "enter.h"
#include "record.h"

bool special_enter(struct task *t, const struct call *c,
		   const struct entry *e);
void special_exit(struct task *t, int32_t result);
/* special_effect() - a path call that succeeded may move other names. */
void special_effect(struct task *t);
/* mount_note() - a mounted file system that a task may serve is not touched
 * by the tracer: it would wait for itself. */
void mount_note(struct task *t, const struct call *c, const struct entry *e);
/* special_keep() - @c until its exit, with @text; false: no memory. */
bool special_keep(struct task *t, const struct call *c, struct span text);
void lost(struct task *t, enum lost_reason reason, const char *text);

#endif
