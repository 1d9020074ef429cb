/* SPDX-License-Identifier: Apache-2.0 */
/* The names in the arguments of the call that is looked at. */
#ifndef TRANSHIP_TRACE_NAMES_H
#define TRANSHIP_TRACE_NAMES_H

#include "enter.h"
#include "record.h"
#include "resolve.h"

/* Two names at a time, one task at a time: no stack of 24 KiB each. */
extern struct name first_name, second_name;

enum got { GOT_NAME, GOT_NOTHING, GOT_FAULT };

/* get_name() - the path in argument @path, or what stands for one: the first
 * name where it is the call's first path, else the second. */
enum got get_name(struct task *t, const struct call *c,
		  const struct entry *e, int dir, int path);
bool no_follow(const struct call *c, const struct entry *e);
/* record_of() - of the first name. */
struct path_record record_of(const struct call *c, const struct entry *e);

#endif
