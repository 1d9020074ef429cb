/* SPDX-License-Identifier: Apache-2.0 */
/* The peers that sockets of this process asked for, and its children's. */
#ifndef TRANSHIP_ENGINE_PEERS_H
#define TRANSHIP_ENGINE_PEERS_H

#include <stdbool.h>

#include "network-rules.h"

/* peers_keep() - @fd asked for @asked, and got @real. */
void peers_keep(long fd, const struct endpoint *asked,
		const struct endpoint *real);
/* peers_find() - what @fd asked for to get @real; false where that is not
 * known. */
bool peers_find(long fd, const struct endpoint *real, struct endpoint *asked);

#endif
