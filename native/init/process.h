/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes there are, from /proc. Zombies do not count. */
#ifndef TRANSHIP_INIT_PROCESS_H
#define TRANSHIP_INIT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Each sends @signal, unless it is 0, and returns how many there are. */
int processes_of_session(pid_t session, int signal);
/* processes_of_parent() - children of init itself, orphans among them */
int processes_of_parent(int signal);
/* process_family() - false where @pid does not run */
bool process_family(pid_t pid, pid_t *parent, pid_t *session);

#endif
