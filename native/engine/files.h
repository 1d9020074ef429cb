/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_ENGINE_FILES_H
#define TRANSHIP_ENGINE_FILES_H

/* files_add() - answers the calls that take paths. */
void files_add(void);
/* names_add() - names.c: and those that give names back. */
void names_add(void);

/* sockets_add() - sockets.c: and those with paths in addresses. */
void sockets_add(void);

#endif
