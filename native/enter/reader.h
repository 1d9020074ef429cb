/* SPDX-License-Identifier: Apache-2.0 */
/* The words of the command line one after the other, as text, number, process
 * or path; what is none fails in words. */
#ifndef TRANSHIP_ENTER_READER_H
#define TRANSHIP_ENTER_READER_H

#include "options.h"

#define WORDS_MAX 100000U

/* The words still to be read, and the overlay being put together. */
struct reader {
	struct config *c;
	enum verb verb;
	char **at;
	const char *option;
	struct overlay pending;
};

void *must_realloc(void *p, size_t count, size_t size);

/* next_word() - the value of the option being read; so all of these. */
const char *next_word(struct reader *r);
long next_number(struct reader *r, long max);
pid_t next_pid(struct reader *r);
const char *next_absolute(struct reader *r);
/* parse_number() - the same of a part of a word. */
long parse_number(const char *option, const char *text, int base, long max);

/**
 * words_of() - the command line, with NUL-terminated words from a descriptor
 * put in the place of `--args-fd N`: any bytes can be said there, and secrets
 * do not show in the list of processes.
 */
char **words_of(char **args);

/* received_word() - the next word from @fd, closed by NUL. One reader a
 * process: it reads ahead. Return: NULL at the end. */
char *received_word(int fd);

#endif
