/* SPDX-License-Identifier: Apache-2.0 */
/* Which service may start, and which may stop, by what needs what. */
#ifndef TRANSHIP_INIT_ORDER_H
#define TRANSHIP_INIT_ORDER_H

#include "service.h"

/* order_start() - @s, which waits, once all that it needs have been ready; it
 * fails where one of them has failed */
void order_start(const struct service *services, struct service *s);
/* order_stop() - all that nothing still running needs. Return: false once all
 * services are down. */
bool order_stop(struct service *services, size_t count);

#endif
