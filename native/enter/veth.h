/* SPDX-License-Identifier: Apache-2.0 */
/* The device by which an instance is on a bridge of the host. */
#ifndef TRANSHIP_ENTER_VETH_H
#define TRANSHIP_ENTER_VETH_H

#include "options.h"

/* net_veth() - a pair: one end on the bridge, in the namespace of @host; the
 * other with addresses and routes in the present one. */
void net_veth(int host, const struct veth *given);
/* net_unplug() - removes such a pair by its end in the namespace of @host. */
void net_unplug(int host, const char *name);

#endif
