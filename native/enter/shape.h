/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a network device may send, by rtnetlink. */
#ifndef TRANSHIP_ENTER_SHAPE_H
#define TRANSHIP_ENTER_SHAPE_H

#include <stdint.h>

/* shape() - at most @rate bytes a second leave by the device @index of the
 * namespace of the socket @fd; what comes faster waits in a queue, and is
 * dropped where that is full. 0: no such limit. */
void shape(int fd, uint32_t index, uint64_t rate);
/* shape_main() - `shape DEVICE RATE`, in the present network namespace. */
int shape_main(char **args);

#endif
