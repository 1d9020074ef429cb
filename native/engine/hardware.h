/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_HARDWARE_H
#define TRANSHIP_ENGINE_HARDWARE_H

/* hardware_add() - answers calls that tell a MAC address, where the policy has
 * one. After files and network, whose answers it changes. */
void hardware_add(void);

#endif
