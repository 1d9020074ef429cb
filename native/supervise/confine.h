/* SPDX-License-Identifier: Apache-2.0 */
/* What a command may reach, held by the kernel: Landlock, a filter of system
 * calls, a bound on capabilities. */
#ifndef TRANSHIP_SUPERVISE_CONFINE_H
#define TRANSHIP_SUPERVISE_CONFINE_H

/* landlock_abi() - of this kernel; 0 where it has none or has it switched off. */
int landlock_abi(void);

/* confine() - this process and all that comes of it, for good. @rules is a
 * file of words, each with a NUL: "caps MASK" (hexadecimal), "scope signals",
 * "scope sockets", and "list", "look", "read" (and execute), "write" or "device"
 * with a path, which is left out where we cannot come to it. @filter holds instructions of BPF. Fails in
 * words. */
void confine(const char *rules, const char *filter);

#endif
