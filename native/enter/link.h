/* SPDX-License-Identifier: Apache-2.0 */
/* Network devices by name and kind: found, brought up and removed. */
#ifndef TRANSHIP_ENTER_LINK_H
#define TRANSHIP_ENTER_LINK_H

#include <stdint.h>

#define LINK_UP 1U		/* IFF_UP */

/* check_name() - fails for what cannot be the name of a device. */
void check_name(const char *name);
/* link_index() - Return: 0 where there is no such interface. One of another
 * kind is not ours. */
uint32_t link_index(int fd, const char *name, const char *kind);
void link_up(int fd, const char *name);
/* remove_link() - with what is behind it; done where it is not there. */
void remove_link(int fd, const char *name, const char *kind);
/* net_loopback_up() - in the present network namespace. */
void net_loopback_up(void);

#endif
