/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the instance is well, as docker's HEALTHCHECK has it: a command, again
 * and again, with a time limit; so many failures in a row make it unhealthy. The
 * file "health.conf" of the run directory has the rule: interval, timeout,
 * retries, start period, start interval (milliseconds but for retries), what to do
 * and the words of the command, each closed by NUL. The answer is "health.json"
 * for who asks, and one word in "health" for who tells of it.
 */
#ifndef TRANSHIP_INIT_HEALTH_H
#define TRANSHIP_INIT_HEALTH_H

#include <stdbool.h>
#include <sys/types.h>

#include "plan.h"

enum health_action { HEALTH_NOTHING, HEALTH_KILL, HEALTH_STOP };

/* health_begin() - when the instance runs. Nothing where there is no rule. */
void health_begin(const struct plan *plan);
/* health_step() - starts what is due, ends what takes too long. Return: what is
 * to be done because it has just become unhealthy. */
enum health_action health_step(long long now);
/* health_next() - when to look again, monotonic milliseconds; -1: never */
long long health_next(void);
/* health_reaped() - Return: whether @pid was the command */
bool health_reaped(pid_t pid, int wait_status);
/* health_end() - no more of it; a command that runs is killed */
void health_end(void);

#endif
