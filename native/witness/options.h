/* SPDX-License-Identifier: Apache-2.0 */
/* What witness is asked for; main.c says how. */
#ifndef TRANSHIP_WITNESS_OPTIONS_H
#define TRANSHIP_WITNESS_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

struct options {
	int fd;
	bool optional;
	bool limited;
	pid_t pid;		/* the first one, or 0 */
	bool meant;		/* anybody was named */
	long ms;		/* -1: until CMD has ended */
	const char *root;
	char **cmd;
};

/* options_read() - ends with 125 where they are wrong. Who is named is told to
 * who.c at once. */
struct options options_read(char **argv);

#endif
