/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a call that waits at the listener. */
#ifndef TRANSHIP_TRACE_NOTICE_H
#define TRANSHIP_TRACE_NOTICE_H

#include <linux/seccomp.h>

#include "task.h"

void notice_handle(const struct seccomp_notif *told);
/* notice_signal() - @t stops for the delivery of a signal. */
void notice_signal(struct task *t);
/* notice_kicked() - @t stops between two calls. */
void notice_kicked(struct task *t);
/* notice_stop() - @t, whose result is wanted, stops at entry or exit. */
void notice_stop(struct task *t, int32_t result, bool ok);

#endif
