/* SPDX-License-Identifier: Apache-2.0 */
/* Files of /proc that tell what uname() tells, and the call of old that does. */
#ifndef TRANSHIP_ENGINE_KERNEL_VIEWS_H
#define TRANSHIP_ENGINE_KERNEL_VIEWS_H

#include <stdbool.h>
#include <stddef.h>

#define VIEW_SIZE 1024

/* views_add() - answers open() of them, where the policy has a name. */
void views_add(void);
/* view_text() - the text of the file at @path, into VIEW_SIZE bytes: its
 * length; 0 = it is the kernel's. */
size_t view_text(char *to, const char *path);
/* sysctl_add() - sysctl.c: answers sysctl(2). */
void sysctl_add(void);

#endif
