/* SPDX-License-Identifier: Apache-2.0 */
/* Processes: who waits for whom, who dies with whom, and the step from
 * set-up to the command. */
#ifndef TRANSHIP_ENTER_PROCESS_H
#define TRANSHIP_ENTER_PROCESS_H

#include "options.h"

/* process_begin() - block the signals to be passed on, tie our life to the
 * caller's, and let no inherited descriptor reach the command by chance. */
void process_begin(const struct config *c);

/*
 * process_split() - fork. Returns in the child only, which then sets up and
 * calls process_ready(). The parent waits for that, reports the pid, waits for
 * the caller's word if one was asked for, lets the child go on, passes signals
 * to it and exits as it does.
 */
void process_split(const struct config *c);
/* process_ready() - the set-up is done; returns when the child may go on. */
void process_ready(void);

/* process_guard() - PID 1 and reaper: run the command in a child, reap, pass
 * signals, exit with the command's status. */
__attribute__((noreturn)) void process_guard(const struct config *c);

/* process_tie() - die when the parent dies. */
void process_tie(void);
__attribute__((noreturn)) void process_exec(const struct config *c);
void process_wait_word(const struct config *c);

#endif
