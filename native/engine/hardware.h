/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_HARDWARE_H
#define TRANSHIP_ENGINE_HARDWARE_H

#define MAC_SIZE 6
#define ETHERNET 1		/* ARPHRD_ETHER */

/* hardware_add(), rtnetlink_add() - answer calls that tell a MAC address, where
 * the policy has one. After files and network, whose answers they change. */
void hardware_add(void);
void rtnetlink_add(void);

#endif
