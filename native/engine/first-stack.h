/* SPDX-License-Identifier: Apache-2.0 */
/* The stack that a program begins on: arguments, environment, auxv. */
#ifndef TRANSHIP_ENGINE_FIRST_STACK_H
#define TRANSHIP_ENGINE_FIRST_STACK_H

#include "loader.h"

struct first_stack {
	unsigned long *given;	/* as the kernel made it for the engine */
	char **arguments;	/* the program's, argv[0] first, in it */
	const char *file;	/* as it was asked for */
	const struct program *program;
	const struct loaded *image;
	const struct loaded *loader;	/* NULL = a static program */
	unsigned long vdso;
	unsigned long rsp;	/* out: where the program begins */
};

/* first_stack_build() - below the given one, and told to the kernel, so that
 * /proc shows the program's words and not the engine's. */
void first_stack_build(struct first_stack *s);

#endif
