/* SPDX-License-Identifier: Apache-2.0 */
/* The command line as data: the command, what its end must be like to be a
 * simple one, what is done then, and who deals with every other end. */
#ifndef TRANSHIP_SUPERVISE_OPTIONS_H
#define TRANSHIP_SUPERVISE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Two words that belong together; what they mean says the list. */
struct pair {
	const char *first;
	const char *second;
};

#define PAIRS_MAX 8
#define WORDS_MAX 32

struct pairs {
	struct pair list[PAIRS_MAX];
	size_t count;
};

struct words {
	char *list[WORDS_MAX + 2];	/* room for one more, and NULL */
	size_t count;
};

struct config {
	bool null_stdin;
	bool ahead;		/* the command runs already: see prepare() */
	const char *empty;	/* directory to be emptied meanwhile */
	/* Where the command begins: the second inside of the first as its
	 * root, whatever links lead elsewhere. */
	struct pair directory;
	/* Its whole environment: a file of NAME=VALUE, each with a NUL. */
	const char *environment;
	const char *user;	/* UID:GID[:GID...] that it becomes */
	struct pair confine;	/* files of rules and filter: see confine.h */
	bool bound;		/* it dies with us */
	bool become;		/* we become it: there is no end to deal with */
	const char *main_file;	/* gets its pid and start time */
	struct words hand_over;

	/* An end is simple if all of this holds. */
	const char *gone[2];	/* are not there */
	size_t gone_count;
	const char *spoke;	/* is there, or a status up to 128 is not
				 * that of the program */
	struct pairs only;	/* directory, names that it may hold */
	const char *small;	/* file ... */
	off_t small_size;	/* ... of at most this size */

	/* And this is done then. */
	const char *events;		/* gets two lines that begin so: */
	struct pair heads;		/* of its end, of its removal */
	struct pair set_aside;	/* from, to */
	struct pairs free;	/* link, its target */
	struct pair used;	/* where the first is there, the second is
				 * touched, and ... */
	const char *waiter;	/* ... names a living process, or gets one: */
	struct words idle;

	char **argv;
};

/* parse_options() - fails in words. */
void parse_options(struct config *c, char **args);

#endif
