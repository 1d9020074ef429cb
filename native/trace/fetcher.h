/* SPDX-License-Identifier: Apache-2.0 */
/* The socket to whoever fetches what is missing: questions and answers. When
 * the other end goes away that is said once, and nothing is asked any more. */
#ifndef TRANSHIP_TRACE_FETCHER_H
#define TRANSHIP_TRACE_FETCHER_H

#include "loop.h"
#include "record.h"

enum question_kind {
	Q_ABSENT = 1,	/* a call failed for want of a path */
	Q_EXEC,		/* ... of a program, or of what runs it */
	Q_MAKES,	/* a call is about to make a file that is not there */
	Q_LISTS,	/* a directory was opened */
	Q_GONE,		/* a path was taken away: told, not asked */
};

enum answer {
	A_NO,		/* not now */
	A_AGAIN,	/* it is there: again */
	A_NEVER,	/* no, and need not be asked again */
};

struct question {
	uint32_t number;
	enum question_kind what;
	uint8_t op;
	uint8_t flags;
	pid_t pid;
	pid_t first;		/* the program that all come from */
	struct span root;
	struct span path;
	struct span second;
};

typedef void answer_taker(const struct loop *loop, uint32_t question,
			  unsigned char answer);

/* fetcher_connect() - to the socket at @path. */
void fetcher_connect(const char *path);
/* fetcher_fd() - to wait for answers; -1 where nobody is there. */
int fetcher_fd(void);
/* fetcher_ask() - false where nobody is there any more. */
bool fetcher_ask(const struct question *q);
/* fetcher_read() - @take gets each answer that has come. */
void fetcher_read(const struct loop *loop, answer_taker *take);

#endif
