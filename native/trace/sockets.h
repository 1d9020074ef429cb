/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that are bound, listened at and connected. */
#ifndef TRANSHIP_TRACE_SOCKETS_H
#define TRANSHIP_TRACE_SOCKETS_H

#include "enter.h"

/* enter_socket() - as call_enter(); @kind as in struct bind_record. */
bool enter_socket(struct task *t, const struct call *c, const uint64_t *arg,
		  unsigned kind);
/* enter_socketcall() - the same by the one call that i386 has for all. */
bool enter_socketcall(struct task *t, const struct call *c,
		      const struct entry *e);
void exit_socket(struct task *t, int32_t result);

#endif
