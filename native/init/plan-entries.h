/* SPDX-License-Identifier: Apache-2.0 */
/* What the frames of a plan hold, each checked and added to the plan. */
#ifndef TRANSHIP_INIT_PLAN_ENTRIES_H
#define TRANSHIP_INIT_PLAN_ENTRIES_H

#include "plan-fields.h"

enum frame_type { F_END, F_LOG, F_ENV, F_DIRECTORY, F_VOLUME, F_SECRET,
		  F_PROGRAM, F_SERVICE, F_SCHEDULE, F_SOCKET,
		  F_EMPTY };

/* read_entry() - the frame of @type that @c is about; c->why where it is not
 * one, or not one that may follow those before it */
void read_entry(struct cursor *c, unsigned int type, struct plan *p);

#endif
