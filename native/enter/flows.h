/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that the kernel's connection tracking knows, of ports of the host. */
#ifndef TRANSHIP_ENTER_FLOWS_H
#define TRANSHIP_ENTER_FLOWS_H

/* flows_main() - `flows forget PROTOCOL,ADDRESS,PORT...`: 0.0.0.0 and :: stand
 * for every address that the host has. */
int flows_main(char **args);

#endif
