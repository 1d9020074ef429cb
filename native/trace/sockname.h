/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_TRACE_SOCKNAME_H
#define TRANSHIP_TRACE_SOCKNAME_H

#include <sys/socket.h>

#include "task.h"

/* sockname() - the address of socket @fd of another task, its length; 0 where
 * it cannot be asked. */
socklen_t sockname(struct task *t, int fd, struct sockaddr_storage *addr);

#endif
