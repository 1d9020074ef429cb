/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a script, as the kernel reads it (fs/binfmt_script.c). */
#ifndef TRANSHIP_ENGINE_SCRIPT_H
#define TRANSHIP_ENGINE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

/* So much of a file the kernel looks at. */
#define SCRIPT_HEAD 256
/* How deep scripts may be the interpreters of scripts. */
#define SCRIPT_DEPTH 5

enum script_verdict {
	SCRIPT_OK,
	SCRIPT_NOT,	/* does not begin with #! */
	SCRIPT_BAD,	/* it does, and names nothing that can be started */
};

struct script {
	char interpreter[SCRIPT_HEAD];	/* may be empty: a directory, EACCES */
	char argument[SCRIPT_HEAD];	/* all of the rest as one */
	bool has_argument;		/* it may be empty, too */
};

/* script_read() - from the first @n bytes of a file, at most SCRIPT_HEAD. */
enum script_verdict script_read(const char *head, size_t n, struct script *s);

#endif
