/* SPDX-License-Identifier: Apache-2.0 */
/* The listener of the filter: calls wait there for the tracer's word. */
#ifndef TRANSHIP_TRACE_NOTIFY_H
#define TRANSHIP_TRACE_NOTIFY_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* notify_hand_over() - the child's side: sends @listener through @socket. */
int notify_hand_over(int socket, int listener);
/* notify_open() - the tracer's side: takes the listener. False: the child did
 * not send one and has said why. */
bool notify_open(int socket);
/* notify_wait() - the next call that waits; NULL where a signal has come
 * first, or an event of ptrace (notify_event()). */
const struct seccomp_notif *notify_wait(void);
/* notify_event() - whether tasks have stopped or ended since it was asked. */
bool notify_event(void);
/* notify_valid() - whether the call @id still waits: what was read of its task
 * meanwhile is of that task. */
bool notify_valid(uint64_t id);
/* notify_continue() - lets the call run; false where it no longer waits. */
bool notify_continue(uint64_t id);

#endif
