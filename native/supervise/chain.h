/* SPDX-License-Identifier: Apache-2.0 */
/* The command that is waited for: enter, which becomes the OCI runtime. */
#ifndef TRANSHIP_SUPERVISE_CHAIN_H
#define TRANSHIP_SUPERVISE_CHAIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

/* chain_start() - as our child, with default signals and the streams that
 * @c asks for. Return: its pid. */
pid_t chain_start(const struct config *c);

/*
 * chain_start_ahead() - enter, which lies beside us (@self is our own path): it
 * makes what every launch needs, opens the directory @draft, which may have
 * another name from then on, reads the rest from the descriptor @parts, and
 * dies with us. Return: its pid, when it has come so far, or 0 where it could
 * not: then it is chain_start()'s as ever.
 */
pid_t chain_start_ahead(const char *self, int parts, char *draft);

/* chain_end() - kills it and waits until it is gone; 0: there is none. */
void chain_end(pid_t pid);

/* become() - in our place, with default signals. */
__attribute__((noreturn)) void become(char *const *argv, bool null_stdin);

/* default_signals() - what is ignored would be so for our children too; Node
 * ignores SIGPIPE. */
void default_signals(void);

/*
 * wake_cgroups() - the first move into a cgroup after a while waits for a grace
 * period of the kernel, some 10 ms, those soon after it do not. The command
 * will move one, but has other things to do first: so the waiting begins now,
 * with a move that changes nothing. Where it fails nothing is lost.
 */
void wake_cgroups(void);

#endif
