/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp filters that a program gives itself. */
#ifndef TRANSHIP_ENGINE_FILTERS_H
#define TRANSHIP_ENGINE_FILTERS_H

#include "signals.h"

struct filter;

/* Room for the word of filters_pass(). */
#define FILTERS_WORD 40

/* filters_add() - the calls that install filters. */
void filters_add(void);
/* filters_trapped() - whether a filter answered the program's call by this SIGSYS;
 * then @frame has the program's state behind that call. */
bool filters_trapped(struct thread *t, struct signal_frame *frame);
/* filters_pass() - for execve(): what the next engine has to be told, by a file in
 * memory that stays open over execve(); @to is empty where there is nothing. The
 * file's descriptor, -1 where there is none, or -errno below that. */
long filters_pass(char *to);
/* filters_resume() - from that descriptor, which is closed; false where it has
 * something else. */
bool filters_resume(int fd);

#endif
