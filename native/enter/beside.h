/* SPDX-License-Identifier: Apache-2.0 */
/* The program that answers for refused system calls: started beside the OCI
 * runtime, outside of the namespaces that are made for it. */
#ifndef TRANSHIP_ENTER_BESIDE_H
#define TRANSHIP_ENTER_BESIDE_H

#include "options.h"

/* beside_start() - in the namespaces of our parent, whatever ours are. Return: a
 * descriptor for beside_wait(), -1 where none was asked for. */
int beside_start(const struct config *c);
/* beside_wait() - until it can be connected to; fails where it never will. */
void beside_wait(int fd);

/* beside_watch() - starts who watches the limits; nothing waits for it. */
void beside_watch(const struct config *c);

#endif
