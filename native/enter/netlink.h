/* SPDX-License-Identifier: Apache-2.0 */
/* The few network set-up steps of an instance, by rtnetlink. */
#ifndef TRANSHIP_ENTER_NETLINK_H
#define TRANSHIP_ENTER_NETLINK_H

#include "options.h"

/* net_open() - a socket that stays in the present network namespace. */
int net_open(void);
/* net_loopback_up() - in the present network namespace. */
void net_loopback_up(void);
/* net_veth() - a pair: one end on the bridge, in the namespace of @host; the
 * other with addresses and routes in the present one. */
void net_veth(int host, const struct veth *given);
/* net_unplug() - removes such a pair by its end in the namespace of @host. */
void net_unplug(int host, const char *name);
/* net_loopback_address() - of the present network namespace. */
void net_loopback_address(const char *address);
/* net_route() - the default route of the present namespace. */
void net_route(const char *gateway);
/* bridge_main() - `bridge up NAME ADDRESS/PREFIX...`, `bridge down NAME`. */
int bridge_main(char **args);

#endif
