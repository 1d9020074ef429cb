/* SPDX-License-Identifier: Apache-2.0 */
/* The names in a directory. */
#ifndef TRANSHIP_TREE_NAMES_H
#define TRANSHIP_TREE_NAMES_H

#include <stddef.h>

struct names {
	char **at;		/* in byte order */
	size_t count;
	char *text;
};

/* names_read() - all names of the open directory @fd; 0 or -errno. */
int names_read(struct names *n, int fd);
void names_free(struct names *n);
/* names_compare() - by bytes, for qsort() of char *. */
int names_compare(const void *a, const void *b);

#endif
