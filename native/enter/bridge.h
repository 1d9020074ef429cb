/* SPDX-License-Identifier: Apache-2.0 */
/* The bridge of a network, in the present network namespace. */
#ifndef TRANSHIP_ENTER_BRIDGE_H
#define TRANSHIP_ENTER_BRIDGE_H

/* bridge_main() - `bridge up NAME ADDRESS/PREFIX...`, `bridge down NAME`. */
int bridge_main(char **args);

#endif
