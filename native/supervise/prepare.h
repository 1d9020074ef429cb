/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_PREPARE_H
#define TRANSHIP_SUPERVISE_PREPARE_H

#include <sys/types.h>

/*
 * prepare() - runs the command @args as our child and waits for the command
 * line that it writes to us: its size in decimal and NUL, then each word and
 * NUL. Which descriptor that goes to, and that it is for this child alone, says
 * TRANSHIP_PREPARE=FD:PID in its environment. A child that ends without a word
 * has done all by itself: we end with its status, or 128+n.
 * @child: gets its pid; it ends by itself, and is to be waited for.
 * Return: the words, without a program's name before them, ended by NULL.
 */
char **prepare(char **args, pid_t *child);

#endif
