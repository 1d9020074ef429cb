/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TRANSHIP_SUPERVISE_PREPARE_H
#define TRANSHIP_SUPERVISE_PREPARE_H

#include <sys/types.h>

struct prepared {
	pid_t node;		/* it ends by itself, and is to be waited for */
	pid_t chain;		/* enter, in parts; 0: none. Where the words do
				 * not say --ahead it knows of nothing yet, and
				 * is to be ended */
};

/*
 * prepare() - runs the command @args as our child and waits for the command
 * line that it writes to us: its size in decimal and NUL, then each word and
 * NUL. Meanwhile makes what the child may use: a draft of an instance, and enter,
 * which waits for what to do in parts.
 *
 * TRANSHIP_PREPARE=FD:PID:ID:PARTS in the child's environment says where the
 * command line goes to, for which process that is the child, the id of the
 * draft and where the parts for enter go to; ID and PARTS may be empty. A child
 * that ends without a word has done all by itself: we end with its status, or
 * 128+n. @self: our own path.
 * Return: the words, without a program's name before them, ended by NULL.
 */
char **prepare(const char *self, char **args, struct prepared *p);

#endif
