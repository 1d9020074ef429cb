/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses in calls of sockets, for every family that is redirected. */
#ifndef TRANSHIP_ENGINE_SOCKETS_H
#define TRANSHIP_ENGINE_SOCKETS_H

#include "dispatch.h"
#include "policy-table.h"

/* socket_of() - what tells this socket from all others; 0 = nothing. */
uint64_t socket_of(long fd);
/* call_with_address() - bind, connect, sendto or sendmsg with another one. */
long call_with_address(struct record *r, const void *at, long size);
/* tell_address() - as the kernel does: as much as fits, and how long it is. */
long tell_address(const void *a, unsigned int size, unsigned long to,
		  unsigned long length);
/* network_add() - answers calls with addresses of IP, where there are rules. */
void network_add(void);
/* network_turned() - the same for rules that are in force from now on. */
void network_turned(const struct policy_table *t);

/* Of struct mmsghdr, a struct msghdr with the length of what was sent or
 * received behind it. */
#define MESSAGE_SIZE 64
#define MESSAGE_LENGTH 56

#endif
