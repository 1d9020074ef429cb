/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_FILES_H
#define TRANSHIP_ENGINE_FILES_H

#include <stdbool.h>

/* files_add() - answers the calls that take paths. */
void files_add(void);
/* names_add() - names.c: and those that give names back. */
void names_add(void);

/* maps_asked() - whether @path is /proc/PID/maps. */
bool maps_asked(const char *path);
/* maps_open() - open() of it, to be read: a descriptor or -errno. */
long maps_open(const char *path, unsigned long flags);
/* sockets_add() - sockets.c: and those with paths in addresses. */
void sockets_add(void);

#endif
